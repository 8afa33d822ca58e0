/** A key that looks like a name is one; others, an address say, may be data and are not told. */
const nameLike = /^[A-Za-z_$][\w$-]{0,40}$/;

/** A place in a payload as an error names it: `payload.users[3].name`. */
export function payloadPath(keys: readonly PropertyKey[], root = 'payload'): string {
  return keys.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return typeof key === 'string' && nameLike.test(key) ? `${text}.${key}` : `${text}[…]`;
  }, root);
}
