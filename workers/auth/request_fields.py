"""The state of one auth request while a script's fields are put into it.

The field rules (passdb_fields, userdb_fields) change it; the auth task makes the AuthResult of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    #: User, template -> whether it could be expanded, the text or what is wrong with it.
    Expand = Callable[[bytes, bytes], tuple[bool, bytes]]

Fields = dict[bytes, bytes]


#: passdb fields that the client is never shown.
HIDDEN: Final = frozenset(
    b"user username domain login_user allow_nets allow_real_nets fail delay_until nopassword noauthenticate".split()
)
#: … beside those of the userdb.
USERDB_PREFIX: Final = b"userdb_"


class RequestFields:
    """User, fields and flags of a request; `log` takes what Dovecot would log about them as (level, text)."""

    __slots__ = (
        "_request",
        "expand",
        "fields",
        "hidden_fields",
        "is_legacy",
        "is_tempfail",
        "log",
        "login_user",
        "master_user",
        "password",
        "refusal",
        "user",
        "userdb_fields",
    )

    #: passdb fields for the client, and those that it is not shown: allow_nets, userdb_…, renames.
    fields: Fields
    hidden_fields: Fields
    userdb_fields: Fields
    #: With its scheme; empty if no password was set.
    password: bytes

    def __init__(self, request: Mapping[bytes, Any], *, is_legacy: bool = False, expand: Expand | None = None) -> None:
        """Read what the dispatcher sent; whatever is no string there counts as not set.

        Args:
            request: the request of an AuthCall.
            is_legacy: do the rules of 2.3 hold?
            expand: expands the variables of a template; None where there are none.
        """
        self._request = request
        self.is_legacy = is_legacy
        self.expand = expand
        self.user = _c_string(request.get(b"user"))
        self.roll_back()
        #: Whom the user logs in as; None: as themselves.
        self.login_user: bytes | None = None
        #: Who logs in, where that is not `user`.
        self.master_user = b""
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

    def roll_back(self) -> None:
        """Forget the fields that were set, as Dovecot does after a failed passdb."""
        self.fields, self.hidden_fields = _fields(self._request.get(b"passdb")), {}
        for name in [name for name in self.fields if is_hidden(name)]:
            self.hidden_fields[name] = self.fields.pop(name)
        self.userdb_fields = _fields(self._request.get(b"userdb"))
        self.password = b""

    def log_in_as_another(self) -> None:
        """Carry `login_user` out, once the login has succeeded: the user becomes the master user."""
        if self.login_user is not None:
            text = b"Master user logging in as " + self.login_user
            self.log.append(("info", text))
            self.master_user, self.user, self.login_user = self.user, self.login_user, None

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


def is_hidden(name: bytes) -> bool:
    """Is a passdb field of this name for the client never?"""
    return name in HIDDEN or name.startswith(USERDB_PREFIX)


def _c_string(value: object) -> bytes:
    return value.partition(b"\0")[0] if isinstance(value, bytes) else b""


def _fields(value: object) -> Fields:
    if not value or not isinstance(value, dict):
        return {}
    return {key: _c_string(text) for key, text in value.items() if isinstance(key, bytes)}
