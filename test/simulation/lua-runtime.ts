import type { LuaState } from 'fengari';
import type { Reply } from './commands.js';
import { lauxlib, lua, lualib, luaText } from './lua-interpreter.js';
import { ReplyError } from './reply-error.js';

/** Runs one command of a script's; throws a {@link ReplyError} where the server would answer with one. */
export type RunCommand = (args: readonly string[]) => Reply;

const name = { err: luaText('err'), ok: luaText('ok') };

// What Redis does to the language: no globals but its own, and `unpack` as Lua 5.1 has it.
const sandbox = `
KEYS, ARGV, unpack = {}, {}, table.unpack
setmetatable(_G, {
  __index = function(_, name) error('Script attempted to access nonexistent global variable ' .. tostring(name)) end,
  __newindex = function(_, name) error('Attempt to modify a readonly table, global ' .. tostring(name)) end,
})
`;

/**
 * Runs Redis's scripts, with `redis.call` and `redis.pcall` and the conversions between Lua's values and replies as Redis has
 * them. The language is Lua 5.3, not 5.1: the differential test watches that our scripts cannot tell.
 */
export class LuaRuntime {
  readonly #state: LuaState = lauxlib.luaL_newstate();
  readonly #compiled = new Map<string, number>();
  #run: RunCommand = () => null;
  /** What must not be taken for an answer of Redis's: the simulation itself is at its end. */
  #fault: unknown;

  constructor() {
    const state = this.#state;
    lualib.luaL_openlibs(state);
    lua.lua_createtable(state, 0, 2);
    for (const isProtected of [false, true]) {
      lua.lua_pushcfunction(state, () => this.#call(isProtected));
      lua.lua_setfield(state, -2, luaText(isProtected ? 'pcall' : 'call'));
    }
    lua.lua_setglobal(state, luaText('redis'));
    lauxlib.luaL_loadstring(state, luaText(sandbox));
    if (lua.lua_pcall(state, 0, 0, 0) !== lua.LUA_OK) throw new Error('The sandbox could not be set up');
  }

  /** Runs `source` and returns its reply; throws {@link ReplyError} where it raises an error. */
  run(source: string, keys: readonly string[], args: readonly string[], run: RunCommand): Reply {
    const state = this.#state;
    lua.lua_settop(state, 0);
    this.#run = run;
    this.#fault = undefined;
    this.#pushList(keys);
    lua.lua_setglobal(state, luaText('KEYS'));
    this.#pushList(args);
    lua.lua_setglobal(state, luaText('ARGV'));
    lua.lua_rawgeti(state, lua.LUA_REGISTRYINDEX, this.#compile(source));
    const status = lua.lua_pcall(state, 0, 1, 0);
    if (this.#fault !== undefined) throw this.#fault;
    if (status !== lua.LUA_OK)
      throw new ReplyError(`${this.#raised()} script: f_simulated, on @user_script:1.`);
    return this.#reply(1);
  }

  #compile(source: string): number {
    const known = this.#compiled.get(source);
    if (known !== undefined) return known;
    if (lauxlib.luaL_loadstring(this.#state, toLua(source)) !== lua.LUA_OK) {
      throw new Error(`The script does not compile: ${this.#text(-1)}`);
    }
    const reference = lauxlib.luaL_ref(this.#state, lua.LUA_REGISTRYINDEX);
    this.#compiled.set(source, reference);
    return reference;
  }

  /** `redis.call` and `redis.pcall`. */
  #call(isProtected: boolean): number {
    const state = this.#state;
    try {
      const args: string[] = [];
      for (let i = 1; i <= lua.lua_gettop(state); i++) args.push(this.#argument(i));
      this.#push(this.#run(args));
      return 1;
    } catch (error) {
      if (!(error instanceof ReplyError)) this.#fault = error;
      lua.lua_createtable(state, 0, 1);
      lua.lua_pushstring(state, toLua(error instanceof Error ? error.message : 'ERR'));
      lua.lua_setfield(state, -2, name.err);
      return isProtected && this.#fault === undefined ? 1 : lua.lua_error(state);
    }
  }

  #argument(index: number): string {
    const type = lua.lua_type(this.#state, index);
    if (type === lua.LUA_TNUMBER) return String(lua.lua_tonumber(this.#state, index));
    if (type === lua.LUA_TSTRING) return this.#text(index);
    throw new ReplyError('ERR Lua redis lib command arguments must be strings or integers');
  }

  #push(reply: Reply): void {
    const state = this.#state;
    if (reply === null) lua.lua_pushboolean(state, false);
    else if (typeof reply === 'number') lua.lua_pushnumber(state, reply);
    else if (typeof reply === 'string') lua.lua_pushstring(state, toLua(reply));
    else if ('ok' in reply) {
      lua.lua_createtable(state, 0, 1);
      lua.lua_pushstring(state, toLua(reply.ok));
      lua.lua_setfield(state, -2, name.ok);
    } else {
      lua.lua_createtable(state, reply.length, 0);
      reply.forEach((item, i) => {
        this.#push(item);
        lua.lua_rawseti(state, -2, i + 1);
      });
    }
  }

  #pushList(items: readonly string[]): void {
    const state = this.#state;
    lua.lua_createtable(state, items.length, 0);
    items.forEach((item, i) => {
      lua.lua_pushstring(state, toLua(item));
      lua.lua_rawseti(state, -2, i + 1);
    });
  }

  /** The value at `index` as Redis replies it: a number without its fraction, a table up to its first nil. */
  #reply(index: number): Reply {
    const state = this.#state;
    switch (lua.lua_type(state, index)) {
      case lua.LUA_TSTRING:
        return this.#text(index);
      case lua.LUA_TNUMBER:
        return Math.trunc(lua.lua_tonumber(state, index));
      case lua.LUA_TBOOLEAN:
        return lua.lua_toboolean(state, index) ? 1 : null;
      case lua.LUA_TTABLE:
        return this.#replyOfTable(index);
      default:
        return null;
    }
  }

  #replyOfTable(index: number): Reply {
    const state = this.#state;
    const error = this.#field(index, name.err);
    if (error !== undefined) throw new ReplyError(error);
    const ok = this.#field(index, name.ok);
    if (ok !== undefined) return { ok };
    const items: Reply[] = [];
    for (let i = 1; ; i++) {
      const isEnd = lua.lua_rawgeti(state, index, i) === lua.LUA_TNIL;
      if (!isEnd) items.push(this.#reply(lua.lua_gettop(state)));
      lua.lua_pop(state, 1);
      if (isEnd) return items;
    }
  }

  #raised(): string {
    const isTable = lua.lua_type(this.#state, -1) === lua.LUA_TTABLE;
    return (isTable ? this.#field(-1, name.err) : `ERR ${this.#text(-1)}`) ?? 'ERR';
  }

  #field(index: number, field: Uint8Array): string | undefined {
    const type = lua.lua_getfield(this.#state, index, field);
    const value = type === lua.LUA_TSTRING ? this.#text(-1) : undefined;
    lua.lua_pop(this.#state, 1);
    return value;
  }

  #text(index: number): string {
    return fromLua(lua.lua_tostring(this.#state, index));
  }
}

// One character a byte, as everywhere in the keyspace. Most texts are short: a loop is faster than a Buffer's methods.

function toLua(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function fromLua(bytes: Uint8Array): string {
  if (bytes.length > 64) return Buffer.from(bytes).toString('latin1');
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}
