/** As much of fengari as the simulation uses; it ships no types. */
declare module 'fengari' {
  type LuaState = { readonly brand: unique symbol };
  type LuaFunction = (state: LuaState) => number;

  const lua: {
    readonly LUA_OK: number;
    readonly LUA_REGISTRYINDEX: number;
    readonly LUA_TNIL: number;
    readonly LUA_TBOOLEAN: number;
    readonly LUA_TNUMBER: number;
    readonly LUA_TSTRING: number;
    readonly LUA_TTABLE: number;
    lua_createtable(state: LuaState, items: number, fields: number): void;
    lua_error(state: LuaState): number;
    lua_gettop(state: LuaState): number;
    lua_settop(state: LuaState, top: number): void;
    lua_pop(state: LuaState, count: number): void;
    lua_pcall(state: LuaState, args: number, results: number, handler: number): number;
    lua_pushboolean(state: LuaState, value: boolean): void;
    lua_pushcfunction(state: LuaState, value: LuaFunction): void;
    lua_pushnumber(state: LuaState, value: number): void;
    lua_pushstring(state: LuaState, value: Uint8Array): void;
    lua_rawgeti(state: LuaState, index: number, item: number): number;
    lua_rawseti(state: LuaState, index: number, item: number): void;
    lua_getfield(state: LuaState, index: number, name: Uint8Array): number;
    lua_setfield(state: LuaState, index: number, name: Uint8Array): void;
    lua_setglobal(state: LuaState, name: Uint8Array): void;
    lua_toboolean(state: LuaState, index: number): boolean;
    lua_tonumber(state: LuaState, index: number): number;
    lua_tostring(state: LuaState, index: number): Uint8Array;
    lua_type(state: LuaState, index: number): number;
  };
  const lauxlib: {
    luaL_newstate(): LuaState;
    luaL_loadstring(state: LuaState, source: Uint8Array): number;
    luaL_ref(state: LuaState, table: number): number;
  };
  const lualib: { luaL_openlibs(state: LuaState): void };
  function to_luastring(text: string): Uint8Array;

  export type { LuaFunction, LuaState };
  export { lauxlib, lua, lualib, to_luastring };
}
