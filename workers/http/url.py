"""HTTP URLs as Dovecot reads them, with its complaints word for word.

`parse_url` is given what a script, an option or a `Location` says. What it returns can go onto the wire as it stands:
neither host nor target holds a space, a control character or a byte above 126.

**Mirrors** http-url.c and uri-util.c of 2.4. Percent-encoding in the target stays as it was written; `.` and `..` go.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final, NoReturn

from dispatcher.protocol.errors import LualoftError

HTTP_PORT: Final = 80
HTTPS_PORT: Final = 443
_MAX_PORT: Final = 65_535

#: A scheme longer than this is none.
_SCHEME: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]{0,63}):")

_USERINFO: Final = re.compile(rb"([A-Za-z0-9._~!$&'()*+,;=:%-]*)@")
#: What a segment, a query, a fragment may hold beside percent-encoded bytes.
_SEGMENT: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:@-]*")
_QUERY: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:@/?-]*")

_IPV4: Final = re.compile(rb"0*(\d{1,3})\.0*(\d{1,3})\.0*(\d{1,3})\.0*(\d{1,3})(?!\d)")
_MAX_OCTET: Final = 255
_ALPHANUMERIC: Final = re.compile(rb"[A-Za-z0-9]")
_LABEL_BYTE: Final = re.compile(rb"[A-Za-z0-9-]")
_HEX: Final = b"0123456789abcdefABCDEF"
_PRINTABLE: Final = range(0x20, 0x7F)

_NO_HOST: Final = "HTTP URL does not allow empty host identifier"
_BAD_HOST: Final = "Invalid host identifier"


class UrlError(LualoftError):
    """A text that is no HTTP URL."""

    def __init__(self, detail: str, character: str = "") -> None:
        """Build it.

        Args:
            detail: the complaint of Dovecot 2.3.
            character: what 2.4 adds to it.
        """
        super().__init__(f"{detail} {character}".rstrip())
        #: Dovecot's complaint, of 2.4 and of 2.3.
        self.detail = str(self)
        self.detail_23 = detail


@dataclass(frozen=True, slots=True)
class Url:
    """An absolute URL, taken apart."""

    is_tls: bool
    #: Name or address, without brackets.
    host: bytes
    #: Is the host an IPv6 address, which stands in brackets?
    is_ip_literal: bool
    port: int
    #: Does the URL name its port?
    has_port: bool
    #: Percent-decoded; None: there is none.
    user: bytes | None
    password: bytes | None = field(repr=False)
    #: Path and query, percent-encoding as it was given.
    target: bytes

    @property
    def origin(self) -> bytes:
        """Scheme and authority, as log lines show them."""
        return (b"https://" if self.is_tls else b"http://") + self.authority

    @property
    def authority(self) -> bytes:
        """Host and, if the URL names one, port, as they stand in the Host header."""
        host = b"[" + self.host + b"]" if self.is_ip_literal else self.host
        return host + b":%d" % self.port if self.has_port else host


def parse_url(text: bytes, *, allows_userinfo: bool = True) -> Url:
    """Read an absolute URL.

    Args:
        text: what was given; a NUL ends it.
        allows_userinfo: may it hold `user:password@`?

    Raises:
        UrlError: it is none; with Dovecot's detail.
    """
    return _Parser(text.partition(b"\0")[0], allows_userinfo).url()


class _Parser:
    """One walk over the text; `_place` is where it stands."""

    def __init__(self, text: bytes, allows_userinfo: bool) -> None:  # noqa: FBT001 - made in one place
        self._text = text
        self._allows_userinfo = allows_userinfo
        self._place = 0

    def url(self) -> Url:
        is_tls, is_relative = self._scheme()
        if is_relative:
            self._path()
            _fail("Relative HTTP URL not allowed")
        user, password = self._userinfo()
        host, is_ip_literal = self._host()
        port = self._port()
        path = self._path()
        query = self._query()
        if self._next() == b"#":
            self._place += 1
            self._encoded(_QUERY, b"", "Fragment")
            _fail("URL fragment not allowed for HTTP URL in this context")
        default_port = HTTPS_PORT if is_tls else HTTP_PORT
        return Url(
            is_tls=is_tls,
            host=host,
            is_ip_literal=is_ip_literal,
            port=port or default_port,
            has_port=port is not None,
            user=user,
            password=password,
            target=(path or b"/") + query,
        )

    def _next(self) -> bytes:
        return self._text[self._place : self._place + 1]

    def _scheme(self) -> tuple[bool, bool]:
        """Is it https, and is the URL relative? A URL that starts with `//` is http, as in Dovecot."""
        found = _SCHEME.match(self._text)
        if found:
            scheme = found.group(1).lower()
            if scheme not in {b"http", b"https"}:
                _fail("Not an HTTP URL")
            self._place = found.end()
        has_authority = self._text.startswith(b"//", self._place)
        if has_authority:
            self._place += 2
        elif found:
            _fail("Absolute HTTP URL requires `//' after `http:'")
        return bool(found) and scheme == b"https", not has_authority

    # Authority.

    def _userinfo(self) -> tuple[bytes | None, bytes | None]:
        found = _USERINFO.match(self._text, self._place)
        if not found:
            return None, None
        self._place = found.end()
        user, colon, password = found.group(1).partition(b":")
        # An empty host is complained about first.
        if self._next() in {b"", b"/", b"?", b"#"}:
            _fail(_NO_HOST)
        if not self._allows_userinfo:
            _fail("HTTP URL does not allow `userinfo@' part")
        if b":" in _decoded(user):
            # Dovecot panics at it: Basic authentication cannot say where such a name ends.
            _fail("HTTP URL does not allow ':' in its user name")
        return _decoded(user), _decoded(password) if colon else None

    def _host(self) -> tuple[bytes, bool]:
        if self._next() == b"[":
            host, is_ip_literal = self._ipv6(), True
        else:
            host, is_ip_literal = self._ipv4() or self._name(), False
        if self._next() not in {b"", b":", b"/", b"?", b"#"}:
            _fail(_BAD_HOST)
        if not host:
            _fail(_NO_HOST)
        return host, is_ip_literal

    def _ipv6(self) -> bytes:
        end = self._text.find(b"]", self._place)
        if end < 0:
            _fail("Expecting ']' at end of IP-literal")
        address = self._text[self._place + 1 : end]
        self._place = end + 1
        if not address:
            _fail("Empty IPv6 host address")
        if address.startswith(b"v"):
            _fail(f"Future IP host address '{_shown(address)}' not supported")
        if not _is_ipv6(address):
            _fail(f"Invalid IPv6 host address '{_shown(address)}'")
        return address

    def _ipv4(self) -> bytes:
        found = _IPV4.match(self._text, self._place)
        if not found or any(int(octet) > _MAX_OCTET for octet in found.groups()):
            # It may still be a name.
            return b""
        self._place = found.end()
        return found.group()

    def _name(self) -> bytes:
        """A host name: labels of letters, digits and inner hyphens; a dot at its end is dropped."""
        labels: list[bytes] = []
        while label := self._label():
            labels.append(label)
            if self._next() != b".":
                break
            self._place += 1
        return b".".join(labels)

    def _label(self) -> bytes:
        label = bytearray()
        while True:
            before = self._place
            byte = self._byte()
            allowed = _LABEL_BYTE if label else _ALPHANUMERIC
            if not allowed.fullmatch(byte):
                self._place = before
                break
            label += byte
        if label.endswith(b"-"):
            _fail("Invalid domain label in hostname")
        return bytes(label)

    def _byte(self) -> bytes:
        """The next byte of a host name, percent-decoded."""
        if self._next() == b"%":
            return self._percent()
        byte = self._next()
        self._place += len(byte)
        return byte

    def _port(self) -> int | None:
        if self._next() != b":":
            return None
        self._place += 1
        start = self._place
        while self._next().isdigit():
            self._place += 1
        digits = self._text[start : self._place].lstrip(b"0")
        is_empty = start == self._place
        if not is_empty and (not digits or len(digits) > len(str(_MAX_PORT)) or int(digits) > _MAX_PORT):
            _fail("Invalid port number")
        if self._next() not in {b"", b"/", b"?", b"#"}:
            _fail("Invalid host port")
        return None if is_empty else int(digits)

    # Path and query.

    def _path(self) -> bytes:
        start = self._place
        if self._next() == b"/":
            self._place += 1
        segments: list[bytes] = []
        while True:
            segment = self._encoded(_SEGMENT, b"/?#", "Path")
            is_dots = segment in {b".", b".."}
            if segment == b"..":
                del segments[-1:]
            elif not is_dots:
                segments.append(segment)
            if self._next() != b"/":
                break
            self._place += 1
        if self._place == start:
            return b""
        if is_dots:
            segments.append(b"")
        return b"/" + b"/".join(segments)

    def _query(self) -> bytes:
        if self._next() != b"?":
            return b""
        self._place += 1
        return b"?" + self._encoded(_QUERY, b"#", "Query")

    def _encoded(self, plain: re.Pattern[bytes], stops: bytes, component: str) -> bytes:
        """Read to one of `stops` or the end: bytes of `plain` and percent-encoded ones, which stay encoded."""
        start = self._place
        while True:
            found = plain.match(self._text, self._place)
            self._place = found.end() if found else self._place
            byte = self._next()
            if byte == b"%":
                self._percent()
            elif not byte or byte in stops:
                return self._text[start : self._place]
            else:
                _fail(f"{component} component contains invalid character", _shown_byte(byte))

    def _percent(self) -> bytes:
        """Read `%XX`; returns the byte that it stands for."""
        digits = self._text[self._place + 1 : self._place + 3]
        if len(digits) < len("XX"):
            _fail("Unexpected URI boundary after '%'")
        first, second = digits[:1], digits[1:]
        if first not in _HEX:
            _fail(f"Expecting hex digit after '%', but found {_shown_byte(first)}")
        if second not in _HEX:
            _fail(f"Expecting hex digit after '%{first.decode()}', but found {_shown_byte(second)}")
        if digits == b"00":
            _fail("Percent encoding is not allowed to encode NUL character")
        self._place += 3
        return bytes.fromhex(digits.decode())


def _is_ipv6(address: bytes) -> bool:
    try:
        ipaddress.IPv6Address(address.decode("ascii"))
    except ValueError:
        return False
    # Zones (fe80::1%eth0) are Python's idea, not the URL's.
    return b"%" not in address


def _decoded(text: bytes) -> bytes:
    parser, decoded = _Parser(text, True), bytearray()  # noqa: FBT003
    while byte := parser._byte():  # noqa: SLF001 - the same class
        decoded += byte
    return bytes(decoded)


def _shown_byte(byte: bytes) -> str:
    return f"'{byte.decode('ascii')}'" if byte[0] in _PRINTABLE else f"0x{byte[0]:02x}"


def _shown(text: bytes) -> str:
    return text.decode("ascii", "backslashreplace")


def _fail(detail: str, character: str = "") -> NoReturn:
    raise UrlError(detail, character)
