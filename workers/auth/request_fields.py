"""The state of one auth request while a script's fields are put into it.

The field rules (passdb_fields, userdb_fields) change it; the auth task makes the AuthResult of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields = dict[bytes, bytes]


class RequestFields:
    """User, fields and flags of a request; `log` takes what Dovecot would log about them as (level, text)."""

    __slots__ = (
        "_request",
        "fields",
        "hidden_fields",
        "is_tempfail",
        "log",
        "password",
        "refusal",
        "user",
        "userdb_fields",
    )

    def __init__(self, request: Mapping[bytes, Any]) -> None:
        """Read what the dispatcher sent; whatever is no string there counts as not set."""
        self._request = request
        self.user = _c_string(request.get(b"user"))
        #: passdb fields for the client.
        self.fields = _fields(request.get(b"passdb"))
        self.userdb_fields = _fields(request.get(b"userdb"))
        #: passdb fields that the client is not shown: allow_nets, userdb_…, renames.
        self.hidden_fields: Fields = {}
        #: With its scheme; empty if no password was set.
        self.password = b""
        #: A field refused the login though the password may be right; why.
        self.refusal = ""
        #: The userdb side cannot be used now.
        self.is_tempfail = False
        self.log: list[tuple[str, bytes]] = []

    def __repr__(self) -> str:
        """Show no field: they may hold passwords."""
        return f"RequestFields({self.user!r}, {len(self.fields)} fields)"

    @property
    def remote_ip(self) -> bytes:
        """Where the client comes from; empty if nobody knows."""
        return _c_string(self._request.get(b"remote_ip"))

    @property
    def real_remote_ip(self) -> bytes:
        """Where the connection comes from, the client's own or a proxy's."""
        return _c_string(self._request.get(b"real_remote_ip")) or self.remote_ip

    @property
    def client_fingerprints(self) -> frozenset[bytes]:
        """Of the client's certificate and of its key."""
        names = (b"ssl_client_cert_fp", b"ssl_client_cert_pubkey_fp")
        return frozenset(filter(None, (_c_string(self._request.get(name)) for name in names)))

    def has(self, name: bytes) -> bool:
        """Is there a passdb field of this name, shown to the client or not?"""
        return name in self.fields or name in self.hidden_fields

    def hide(self, name: bytes, value: bytes) -> None:
        """Set a passdb field that the client is not shown."""
        self.fields.pop(name, None)
        self.hidden_fields[name] = value

    def show(self, name: bytes, value: bytes) -> None:
        """Set a passdb field that is returned to the client."""
        self.hidden_fields.pop(name, None)
        self.fields[name] = value

    def remove(self, name: bytes) -> None:
        """Take a passdb field away."""
        self.fields.pop(name, None)
        self.hidden_fields.pop(name, None)

    def refuse(self, level: str, text: str) -> None:
        """Note that a field refuses the login, and log why."""
        self.refusal = self.refusal or text
        self.log.append((level, text.encode("utf-8", "surrogateescape")))


def _c_string(value: object) -> bytes:
    return value.partition(b"\0")[0] if isinstance(value, bytes) else b""


def _fields(value: object) -> Fields:
    if not value or not isinstance(value, dict):
        return {}
    return {key: _c_string(text) for key, text in value.items() if isinstance(key, bytes)}
