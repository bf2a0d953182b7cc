"""What the emulated Dovecot says of itself in `%{dovecot:...}`.

The version is the release whose behaviour the 2.4 dialect follows.
"""

from __future__ import annotations

DOVECOT_FIELDS: dict[bytes, bytes] = {
    b"name": b"Dovecot",
    b"version": b"2.4.4",
    b"support-url": b"https://www.dovecot.org/",
    b"support-email": b"dovecot@dovecot.org",
    b"revision": b"f28b5a92ec",
}
