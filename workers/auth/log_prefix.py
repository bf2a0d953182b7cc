"""The prefix of log lines about one auth request: `lua(user,1.2.3.4,<session>): `.

Lua asks for it where a script logs, and the auth task where Dovecot itself would log.

Mirrors: auth_request_get_log_prefix of Dovecot 2.3.19.
"""

from __future__ import annotations

import re
from typing import Final

#: Longer user names are cut in the log.
MAX_NAME_BYTES: Final = 64

#: What would break a log line.
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")


def log_prefix(user: bytes, remote_ip: bytes, session: bytes) -> bytes:
    """Put it together; a request without a user is `?`."""
    parts = [_cut(user) or b"?"]
    if remote_ip:
        parts.append(_cut(remote_ip))
    if session:
        parts.append(b"<%b>" % _cut(session))
    return _CONTROL.sub(b"?", b"lua(%b): " % b",".join(parts))


def _cut(text: bytes) -> bytes:
    return text if len(text) <= MAX_NAME_BYTES else text[: MAX_NAME_BYTES - 3] + b"..."
