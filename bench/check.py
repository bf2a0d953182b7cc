"""The check that every system of a benchmark runs: one login against a small table, the same Lua for all.

`CORRECT` says what the right answer is, and each benchmark compares every answer with it.
"""

from __future__ import annotations

from typing import Final

#: The script; what an operator's smallest auth script looks like.
SOURCE: Final = b"""
local passwords = { ada = "secret", grace = "hopper" }

function auth_password_verify(request, password)
   if passwords[request.user] == password then
      return dovecot.auth.PASSDB_RESULT_OK, { user = request.user }
   end
   return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, "no"
end
"""

FUNCTION: Final = "auth_password_verify"

#: Arguments of the n-th check: every third one has a wrong password.
REQUEST: Final = {b"user": b"ada", b"service": b"imap", b"remote_ip": b"192.0.2.7"}


def arguments(number: int) -> tuple[dict[bytes, bytes], bytes]:
    """Return the arguments of the n-th check."""
    return REQUEST, b"secret" if number % 3 else b"guess"


def is_correct(number: int, values: list[object]) -> bool:
    """Is this the right answer to the n-th check?"""
    expected = [1.0, {b"user": b"ada"}] if number % 3 else [0.0, b"no"]
    return values == expected
