"""Puts userdb fields into a request: of a userdb lookup, and the `userdb_…` fields of a passdb.

The auth task calls it after a userdb lookup, passdb_fields for prefetched fields.

Mirrors: auth_request_set_userdb_field of Dovecot 2.3.19 and 2.4.
"""

from __future__ import annotations

import grp
import os
import pwd
from typing import TYPE_CHECKING, Final

from workers.auth.field_syntax import MAX_IMPORTS, Suffix, split_import, split_suffix
from workers.auth.username import RENAMING, rename

if TYPE_CHECKING:
    from workers.auth.request_fields import RequestFields

#: AUTH_REQUEST_USER_KEY_IGNORE, which stands for "no fields" in Dovecot's cache.
_IGNORED: Final = b" "

#: Dovecot as Debian builds it takes no larger one.
MAX_ID: Final = (1 << 31) - 1


def set_userdb_field(request: RequestFields, name: bytes, value: bytes, depth: int = 0) -> None:
    """Apply one field."""
    fields = request.userdb_fields
    suffix, name = split_suffix(name, is_legacy=request.is_legacy)
    if suffix is Suffix.REMOVE:
        fields.pop(name, None)
        return
    if suffix is Suffix.DEFAULT and name in fields:
        return
    if name == _IGNORED:
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
        request.log.append(("warning", b"Replace system_user with system_groups_user"))
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
        digits = value.lstrip(b"0") or b"0"
        return int(digits) if len(digits) <= len(str(MAX_ID)) and int(digits) <= MAX_ID else None
    text = os.fsdecode(value)
    try:
        return pwd.getpwnam(text).pw_uid if name == b"uid" else grp.getgrnam(text).gr_gid
    except (KeyError, ValueError):
        return None


def _set_ids_of_file(request: RequestFields, template: bytes) -> None:
    is_expanded, path = True, template
    if b"%" in template and request.expand:
        is_expanded, path = request.expand(request.user, template)
    if not is_expanded:
        request.log.append(("error", b"Failed to expand uidgid_file=%b: %b" % (template, path)))
        request.is_tempfail = True
        return
    try:
        # Not of pathlib: to it, an empty path is the current folder.
        status = os.stat(path)  # noqa: PTH116
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
    for part in split_import(value, is_legacy=request.is_legacy):
        name, _, text = part.partition(b"=")
        if name:
            set_userdb_field(request, name, text, depth + 1)
