"""auth_passdb_get_cache_key and auth_userdb_get_cache_key: the template by which answers of a script may be cached.

The auth task drives it; the key is the field `cache_key` of an OK result. Without the function nothing may be cached;
scripts of 2.3 do not have it and are cached by `%u`, as Dovecot's `cache_key` argument has it.

Mirrors: auth_lua_script_get_default_cache_key of Dovecot 2.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dispatcher.protocol.auth_result import AuthResult, AuthVerdict
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.syntax import parse
from workers.auth.entry_point import AuthCall, Returned

if TYPE_CHECKING:
    from workers.auth.password_check import Check
    from workers.lua.runtime import Step

#: Name of the field that holds the key.
CACHE_KEY_FIELD: Final = b"cache_key"

#: Dovecot 2.3's default.
LEGACY_CACHE_KEY: Final = b"%u"


class CacheKey:
    """auth_passdb_get_cache_key() or auth_userdb_get_cache_key()."""

    argument_count = 0
    result_count = 1

    def __init__(self, call: AuthCall, function: str) -> None:
        self.function = function
        self._is_legacy = call.is_legacy
        self._state = call.state
        self._driver = "passdb-lua" if "passdb" in function else "userdb-lua"
        self.log: list[tuple[str, bytes]] = []

    def start(self) -> Step:
        """Call it."""
        return self._state.call_export(b"auth_cache_key", (self.function.encode(),))

    def conclude(self, step: Step) -> AuthResult:
        """Check the key."""
        returned = Returned.of(step)
        if returned.code is None or returned.text is None:
            return self.fail(f"db-lua: {self.function} invalid return value (expected string, got {returned.kind})")
        if self._is_legacy:
            return key_result(LEGACY_CACHE_KEY)
        try:
            parse(returned.text)
        except VarExpandError as exc:
            return self.fail(f"db-lua: {self.function} invalid return value ({exc})")
        return key_result(returned.text)

    def conclude_check(self, _check: Check) -> AuthResult:
        """Never called: there is no password to check."""
        return self.fail("internal error: unexpected password check")

    def fail(self, text: str) -> AuthResult:
        """End without a key; to Dovecot a fatal error at its start."""
        text = f"{self._driver}: {self.function}() failed: {text}"
        self.log.append(("error", text.encode("utf-8", "surrogateescape")))
        return AuthResult(AuthVerdict.INTERNAL_FAILURE, reason=text)


def key_result(key: bytes) -> AuthResult:
    """Answer with a key; an empty one means that nothing is cached."""
    return AuthResult(AuthVerdict.OK, fields={CACHE_KEY_FIELD: key} if key else {})
