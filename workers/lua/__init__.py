"""Lua hosting: states, marshalling, and the prelude that every state starts with."""
