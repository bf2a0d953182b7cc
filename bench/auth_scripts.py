"""The auth scripts of the benchmark, with the right answers to their checks."""

from __future__ import annotations

from typing import Final, NamedTuple

from bench.check import SOURCE
from dispatcher.catalog import Script
from dispatcher.protocol.auth_result import AuthResult, AuthVerdict

#: Users of the table.
TABLE_USERS: Final = 100_000

#: Spread over the table, without a pattern that a cache would like.
_STRIDE: Final = 7_919

#: A script that holds a user table; the same text runs in Dovecot 2.3.
TABLE_SOURCE: Final = (
    b"""
local passwords = {}
for i = 0, %d - 1 do
   passwords["user" .. i] = "secret" .. i
end

function auth_password_verify(request, password)
   if passwords[request.user] == password then
      return dovecot.auth.PASSDB_RESULT_OK, {}
   end
   return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, "no"
end
"""
    % TABLE_USERS
)

#: Hashes of `secret`, made by doveadm pw.
_SHA512_CRYPT: Final = (
    b"{SHA512-CRYPT}$6$hVoNXROTaA5jv8Ag$ZfCFgSrIQTKRotsyQJRxR6PkyeJudXtWljTCXbv9kdNipTC/"
    b"ZZUpYnBbCcSbICn/DLuFOhV7pTkPy0rKaqvbJ1"
)
_BCRYPT_12: Final = b"{BLF-CRYPT}$2y$12$y9P9.0l7c6L1pxfNtRGQFOWC11mgEfXBOTPnnN8PTZvT/yyOcPKCe"

_LOOKUP: Final = b"""
function auth_passdb_lookup(request)
   return dovecot.auth.PASSDB_RESULT_OK, { password = "%b" }
end
"""


class Login(NamedTuple):
    """One check, and its right answer."""

    user: str
    password: str
    is_right: bool

    def check(self, result: AuthResult) -> None:
        """Raise AssertionError if the answer is another one."""
        expected = AuthVerdict.OK if self.is_right else AuthVerdict.PASSWORD_MISMATCH
        if result.verdict is not expected:
            message = f"the login of {self.user} was answered wrongly: {result}, {result.reason}"
            raise AssertionError(message)


def login(number: int) -> Login:
    """Return the n-th check of the scripts with few users; every third one has a wrong password."""
    return Login("ada", "secret" if number % 3 else "guess", bool(number % 3))


def table_login(number: int) -> Login:
    """Return the n-th check of the table."""
    user = number * _STRIDE % TABLE_USERS
    return Login(f"user{user}", f"secret{user}" if number % 3 else "guess", bool(number % 3))


TRIVIAL: Final = Script.from_stream("trivial", SOURCE)
TABLE: Final = Script.from_stream("table", TABLE_SOURCE)
SHA512_CRYPT: Final = Script.from_stream("sha512-crypt", _LOOKUP % _SHA512_CRYPT)
BCRYPT: Final = Script.from_stream("bcrypt", _LOOKUP % _BCRYPT_12)
