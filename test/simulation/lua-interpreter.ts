import { createRequire } from 'node:module';
import type * as Fengari from 'fengari';

// Numbers are written as Lua 5.1 does, which Redis has: 2, not 2.0. It reads this while it is loaded.
process.env.FENGARICONF = JSON.stringify({ LUA_COMPAT_FLOATSTRING: true });
const fengari: typeof Fengari = createRequire(import.meta.url)('fengari');
delete process.env.FENGARICONF;

/** The Lua interpreter, set up to be as much like Redis's as it can. */
export const { lua, lauxlib, lualib, to_luastring: luaText } = fengari;
