"""The fields `user`, `username` and `domain`, which rename the user of a request.

passdb_fields and userdb_fields call it.

Mirrors: auth_request_try_update_username of Dovecot 2.3.19 and 2.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workers.auth.request_fields import RequestFields

#: The fields that do.
RENAMING: Final = frozenset({b"user", b"username", b"domain"})


def rename(request: RequestFields, name: bytes, value: bytes) -> None:
    """Apply one of them. A name that would become empty is refused, and with it the login."""
    local_part, at, domain = request.user.partition(b"@")
    # A user name that has a domain of its own keeps it (seen in 2.3.19).
    if name == b"username" and at and b"@" not in value:
        value = value + at + domain
    elif name == b"domain":
        value = local_part + b"@" + value
    if value:
        request.user = value
    else:
        request.refuse("error", "username attempted to be changed to empty")
