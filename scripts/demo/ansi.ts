const styles = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 } as const;

export type Style = keyof typeof styles;
/** Gives text a style, or leaves it as it is where colours are not wanted. */
export type Paint = (style: Style, text: string) => string;

export const inColour: Paint = (style, text) => `\x1b[${styles[style]}m${text}\x1b[0m`;
export const withoutColour: Paint = (_style, text) => text;

export const screen = {
  /** The alternate screen, without a cursor. */
  enter: '\x1b[?1049h\x1b[?25l',
  leave: '\x1b[?25h\x1b[?1049l',
  home: '\x1b[H',
  nextLine: '\x1b[K\r\n',
  clearRest: '\x1b[K\x1b[J',
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what an escape sequence begins with
const escapes = /\x1b\[[0-9;]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const escapeOrCharacter = /\x1b\[[0-9;]*m|./gsu;

/** As much of a painted text as fits into `width` columns. */
export function clip(text: string, width: number): string {
  let room = width;
  let fitted = '';
  for (const [part] of text.matchAll(escapeOrCharacter)) {
    const isEscape = part.startsWith('\x1b');
    if (!isEscape && room-- <= 0) continue;
    fitted += part;
  }
  return fitted;
}

/** Parts side by side, on as many lines as they need. */
export function flow(parts: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let room = 0;
  for (const part of parts) {
    const length = part.replace(escapes, '').length;
    if (length > room || lines.length === 0) {
      lines.push('');
      room = width;
    }
    lines.push(lines.pop() + part);
    room -= length;
  }
  return lines;
}

export function bar(part: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, part)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

const LEVELS = ' ▁▂▃▄▅▆▇█';

/** Columns as high as their values: `height` lines, the highest first; `top` and more is a full column. */
export function chart(values: readonly number[], top: number, height: number): string[] {
  const steps = LEVELS.length - 1;
  return Array.from({ length: height }, (_, line) => {
    const below = (height - 1 - line) * steps;
    return values
      .map((value) => {
        const filled = value > 0 ? Math.max(1, Math.round((value / top) * height * steps)) : 0;
        return LEVELS[Math.min(steps, Math.max(0, filled - below))];
      })
      .join('');
  });
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
