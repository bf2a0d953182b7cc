"""Puts userdb fields into a request: of a userdb lookup, and the `userdb_…` fields of a passdb.

The auth task calls it after a userdb lookup, passdb_fields for prefetched fields.

Mirrors: auth_request_set_userdb_field of Dovecot 2.3.19 and 2.4.
"""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workers.auth.tab_escape import split_tab_escaped
from workers.auth.username import RENAMING, rename

if TYPE_CHECKING:
    from workers.auth.request_fields import RequestFields

DEFAULT_SUFFIX: Final = b":default"
REMOVE_SUFFIX: Final = b":remove"

#: How often an import may contain another one.
MAX_IMPORTS: Final = 16


def set_userdb_field(request: RequestFields, name: bytes, value: bytes, depth: int = 0) -> None:
    """Apply one field."""
    fields = request.userdb_fields
    if name.endswith(DEFAULT_SUFFIX) and name != DEFAULT_SUFFIX:
        name = name.removesuffix(DEFAULT_SUFFIX)
        if name in fields:
            return
    elif name.endswith(REMOVE_SUFFIX) and name != REMOVE_SUFFIX:
        fields.pop(name.removesuffix(REMOVE_SUFFIX), None)
        return
    if name in RENAMING:
        rename(request, name, value)
    elif name in {b"uid", b"gid"}:
        _set_id(request, name, value)
    elif name == b"tempfail":
        request.is_tempfail = True
    elif name == b"uidgid_file":
        _set_ids_of_file(request, value)
    elif name == b"userdb_import":
        _import(request, value, depth)
    elif name == b"system_user":
        request.log.append(("warning", b"userdb: Replace system_user with system_groups_user"))
        fields[b"system_groups_user"] = value
    else:
        fields[name] = value


def _set_id(request: RequestFields, name: bytes, value: bytes) -> None:
    number = _number_of(name, value)
    if number is None:
        request.log.append(("error", b"Invalid %b value '%b'" % (name.upper(), value)))
        request.is_tempfail = True
    else:
        request.userdb_fields[name] = b"%d" % number


def _number_of(name: bytes, value: bytes) -> int | None:
    """A number as it is, or the system's number of the user or group."""
    if value.isdigit():
        # The largest one means "unchanged" to the system calls.
        return int(value) if len(value) <= len("4294967295") and int(value) < (1 << 32) - 1 else None
    text = os.fsdecode(value)
    try:
        return pwd.getpwnam(text).pw_uid if name == b"uid" else grp.getgrnam(text).gr_gid
    except (KeyError, ValueError):
        return None


def _set_ids_of_file(request: RequestFields, path: bytes) -> None:
    try:
        status = Path(os.fsdecode(path)).stat()
    except (OSError, ValueError) as exc:
        reason = os.strerror(exc.errno or 0) if isinstance(exc, OSError) else str(exc)
        request.log.append(("error", b"stat(%b) failed: %b" % (path, reason.encode())))
        request.is_tempfail = True
    else:
        request.userdb_fields[b"uid"] = b"%d" % status.st_uid
        request.userdb_fields[b"gid"] = b"%d" % status.st_gid


def _import(request: RequestFields, value: bytes, depth: int) -> None:
    if depth >= MAX_IMPORTS:
        request.log.append(("error", b"userdb_import nests too deeply"))
        request.is_tempfail = True
        return
    for part in split_tab_escaped(value):
        name, _, text = part.partition(b"=")
        if name:
            set_userdb_field(request, name, text, depth + 1)
