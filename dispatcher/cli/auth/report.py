"""How a verdict is shown: the lines of doveadm, or one JSON object. Pure; nothing here prints.

The `auth` commands use it. Passwords are masked here and nowhere else: the stored one, and every field whose name says
that it holds one, as Dovecot masks them in its log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dispatcher.batch_json import log_lines, text_or_base64
from dispatcher.cli.terminal import safe_line
from dispatcher.protocol.auth_result import AuthVerdict
from dispatcher.protocol.secret import MASK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dispatcher.auth import Answer
    from dispatcher.protocol.auth_result import AuthResult

Fields = dict[bytes, bytes]

#: The mask of field values, as bytes.
_MASKED: Final = MASK.encode()

#: The one field with such a name that holds none.
_NO_PASSWORD: Final = b"nopassword"

_HEADLINES: Final = {
    AuthVerdict.OK: "auth succeeded",
    # doveadm says "failed" here too; whoever looks for that word must not find it where nobody decided.
    AuthVerdict.INTERNAL_FAILURE: "auth not decided",
}

#: The field that says why a login is refused.
_REASON: Final = b"reason"

#: `code=` of Dovecot's answer to a login that it refuses.
_CODES: Final = {
    AuthVerdict.INTERNAL_FAILURE: b"temp_fail",
    AuthVerdict.USER_DISABLED: b"user_disabled",
    AuthVerdict.PASS_EXPIRED: b"pass_expired",
}


def failure_text(result: AuthResult, answers: Sequence[Answer]) -> str:
    """Return why nobody decided; of what a script's own log says already only the first line."""
    reason = reason_text(result)
    if any(reason in line.text for answer in answers for line in answer.outcome.logs):
        reason = reason.partition("\n")[0]
    return f"{result.verdict.value}: {reason}" if reason else result.verdict.value


def shown_fields(fields: Mapping[bytes, bytes], *, has_passwords: bool) -> Fields:
    """Return fields sorted by name, with passwords masked unless they are wanted."""
    return {
        name: value if has_passwords or not _is_secret(name, value) else _MASKED
        for name, value in sorted(fields.items())
    }


def shown_password(password: bytes, *, has_passwords: bool) -> bytes:
    """Return a stored password with at least its scheme: `{SHA256}***`."""
    if has_passwords or not password:
        return password
    scheme, brace, _ = password.partition(b"}")
    return b"%b%b%b" % (scheme, brace, _MASKED) if brace and scheme.startswith(b"{") else _MASKED


def _is_secret(name: bytes, value: bytes) -> bool:
    return bool(value) and b"pass" in name.lower() and name.lower() != _NO_PASSWORD


def login_lines(user: str, result: AuthResult, answers: Sequence[Answer]) -> list[str]:
    """Return what `doveadm auth test` prints, then what each script said and how long it took."""
    headline = _HEADLINES.get(result.verdict, "auth failed")
    lines = [f"passdb: {user_text(user)} {headline}", "extra fields:"]
    lines += [_field(name, value) for name, value in _extra(user, result)]
    if result.is_ok and result.userdb_fields:
        lines.append("userdb fields:")
        shown = shown_fields(result.userdb_fields, has_passwords=False)
        lines += [_field(name, value) for name, value in shown.items()]
    if answers:
        lines.append("scripts:")
        lines += [f"  {_answer_line(answer)}" for answer in answers]
    return lines


def _field(name: bytes, value: bytes) -> str:
    return f"  {text(name)}={text(value)}" if value else f"  {text(name)}"


def _extra(user: str, result: AuthResult) -> list[tuple[bytes, bytes]]:
    """Return what the client of a login is told, user and code first; a refused one learns no field but the reason."""
    code = _CODES.get(result.verdict)
    head = {b"user": result.user or bytes_of(user), **({b"code": code} if code else {})}
    told = {name: value for name, value in result.fields.items() if result.is_ok or name == _REASON}
    return list({**head, **shown_fields({**told, **head}, has_passwords=False)}.items())


def _answer_line(answer: Answer) -> str:
    reason = reason_text(answer.result).partition("\n")[0]
    parts = [answer.result.verdict.value, *([reason] if reason else [])]
    outcome = answer.outcome
    times = f"queue {outcome.queue_ms:.1f} ms, run {outcome.run_ms:.1f} ms"
    return safe_line(f"{_script_name(answer)}: {', '.join(parts)} ({times})")


def field_lines(driver: str, user: str, fields: Mapping[bytes, bytes]) -> list[str]:
    """Return what `doveadm auth lookup` and `doveadm user -u` print."""
    lines = [f"{driver}: {user_text(user)}"]
    for name, value in fields.items():
        lines.append(f"  {text(name):<10}: {text(value)}" if value else f"  {text(name):<10}")
    return lines


def login_object(user: str, result: AuthResult, answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the JSON form of a login."""
    extra = dict(_extra(user, result)[1:])
    userdb = shown_fields(result.userdb_fields, has_passwords=False) if result.is_ok else {}
    return {
        "user": text_or_base64(result.user or bytes_of(user)),
        "verdict": result.verdict.value,
        "reason": reason_text(result),
        "fields": fields_object(extra),
        "userdb_fields": fields_object(userdb),
        "scripts": [_answer_object(answer) for answer in answers],
    }


def lookup_object(
    user: str, result: AuthResult, fields: Mapping[bytes, bytes], answers: Sequence[Answer]
) -> dict[str, Any]:
    """Return the JSON form of a lookup."""
    return {
        "user": text_or_base64(bytes_of(user)),
        "verdict": result.verdict.value,
        "reason": reason_text(result),
        "fields": fields_object(fields),
        "scripts": [_answer_object(answer) for answer in answers],
    }


def _answer_object(answer: Answer) -> dict[str, Any]:
    return {
        "name": _script_name(answer),
        "verdict": answer.result.verdict.value,
        "reason": reason_text(answer.result),
        "logs": log_lines(answer.outcome),
        "queue_ms": round(answer.outcome.queue_ms, 3),
        "run_ms": round(answer.outcome.run_ms, 3),
    }


def _script_name(answer: Answer) -> str:
    return answer.script if isinstance(answer.script, str) else answer.script.name


def fields_object(fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Return fields as JSON has them: names as text, values as text or base64."""
    return {name.decode(errors="backslashreplace"): text_or_base64(value) for name, value in fields.items()}


def text(data: bytes) -> str:
    """Return bytes as they may be shown on one line."""
    return safe_line(data.decode(errors="backslashreplace"))


def reason_text(result: AuthResult) -> str:
    """Return the reason as text; bytes of a script's that are not UTF-8 are escaped."""
    return bytes_of(result.reason).decode(errors="backslashreplace")


def user_text(user: str) -> str:
    """Return a user name of the command line as it may be shown on one line."""
    return text(bytes_of(user))


def bytes_of(text_of_bytes: str) -> bytes:
    """Return the bytes behind a text that came from bytes: an argument of the command line, a reason."""
    return text_of_bytes.encode(errors="surrogateescape")
