"""Lua modules that scripts `require`: one .lua file each, `socket.http` being socket_http.lua."""
