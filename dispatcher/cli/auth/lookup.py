"""`lualoft auth lookup` and `lualoft auth user`: look users up in a passdb or a userdb, like doveadm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli import exit_codes
from dispatcher.cli.auth.auth_info import auth_info_option
from dispatcher.cli.auth.inquiry import Inquiry, ask, find_scripts, inquiry_options, tell_logs
from dispatcher.cli.auth.report import (
    bytes_of,
    failure_text,
    field_lines,
    lookup_object,
    shown_fields,
    shown_password,
    text,
    user_text,
)
from dispatcher.cli.terminal import safe_json, tell
from dispatcher.protocol.auth_result import AuthResult, AuthVerdict
from dispatcher.protocol.errors import ArgumentError

if TYPE_CHECKING:
    from dispatcher.auth import Answer, Auth
    from dispatcher.catalog import Script
    from dispatcher.cli.global_options import GlobalOptions


@click.command("lookup", short_help="Look users up in a passdb.")
@click.argument("script")
@click.argument("users", metavar="USER...", nargs=-1, required=True)
@click.option("-f", "--field", metavar="FIELD", help="Print only the value of this field.")
@click.option("--show-passwords", "has_passwords", is_flag=True, help="Do not mask the stored password.")
@auth_info_option
@inquiry_options
@click.pass_obj
def passdb_command(
    options: GlobalOptions,
    /,
    *,
    script: str,
    users: tuple[str, ...],
    field: str | None,
    has_passwords: bool,
    **inquiry: Any,  # noqa: ANN401 - the fields of Inquiry
) -> int:
    """Look each USER up with SCRIPT's auth_passdb_lookup, without any password, and print the fields.

    The stored password is shown as its scheme, {SHA256}***, and so is every field whose name says "pass", unless
    --show-passwords is given. What the script logs goes to standard error.

    \b
    Exit codes: 0 found; 1 the script refused; 2 wrong usage; 67 no such user;
    75 nobody decided; 78 wrong settings. Of several users the worst counts.
    """  # noqa: D301 - click's mark for lines that are kept as they are
    lookup = Lookup("passdb", users, field, has_passwords=has_passwords)
    return _run(options, script, lookup, Inquiry.of(inquiry))


@click.command("user", short_help="Look users up in a userdb.")
@click.argument("script")
@click.argument("users", metavar="USER...", nargs=-1, required=True)
@click.option("-f", "--field", metavar="FIELD", help="Print only the value of this field.")
@auth_info_option
@inquiry_options
@click.pass_obj
def userdb_command(
    options: GlobalOptions,
    /,
    *,
    script: str,
    users: tuple[str, ...],
    field: str | None,
    **inquiry: Any,  # noqa: ANN401 - the fields of Inquiry
) -> int:
    """Look each USER up with SCRIPT's auth_userdb_lookup and print the fields, as doveadm user -u does.

    A wildcard is a name like any other here; `lualoft auth users` lists.

    \b
    Exit codes: 0 found; 1 the script refused; 2 wrong usage; 67 no such user;
    75 nobody decided; 78 wrong settings. Of several users the worst counts.
    """  # noqa: D301 - click's mark for lines that are kept as they are
    return _run(options, script, Lookup("userdb", users, field, has_passwords=False), Inquiry.of(inquiry))


@dataclass(frozen=True)
class Lookup:
    """What is looked up."""

    #: `passdb` or `userdb`.
    driver: str
    users: tuple[str, ...]
    #: The only field that is printed.
    field: str | None
    has_passwords: bool

    def fields(self, user: str, result: AuthResult) -> dict[bytes, bytes]:
        """Return the fields of a user in the order in which they are shown, passwords masked unless wanted."""
        is_passdb = self.driver == "passdb"
        found = shown_fields(result.fields if is_passdb else result.userdb_fields, has_passwords=self.has_passwords)
        head = {b"user": result.user or bytes_of(user)}
        if is_passdb and result.password:
            head[b"password"] = shown_password(result.password, has_passwords=self.has_passwords)
        return {**head, **{name: value for name, value in found.items() if name not in head}}


def _run(options: GlobalOptions, script: str, lookup: Lookup, inquiry: Inquiry) -> int:
    if lookup.field is not None and inquiry.is_json:
        raise click.UsageError("--field and --json exclude each other: JSON has all fields")
    requests = [inquiry.request(user) for user in lookup.users]
    (found,) = find_scripts(options, [script], inquiry)
    run = _Run(found, lookup, requests, is_json=inquiry.is_json)
    return ask(options, inquiry, run.run, on_answer=run.answers.append, on_unavailable=run.fail_rest)


class _Run:
    """The lookups of one command, one after the other."""

    def __init__(self, script: Script, lookup: Lookup, requests: list[dict[str, Any]], *, is_json: bool) -> None:
        self._script = script
        self._lookup = lookup
        self._requests = requests
        self._is_json = is_json
        self._shown_count = 0
        self._code = exit_codes.OK
        #: Of the user at hand.
        self.answers: list[Answer] = []

    async def run(self, auth: Auth) -> int:
        """Ask for each user, show what came, and return the exit code."""
        look_up = auth.lookup if self._lookup.driver == "passdb" else auth.userdb
        for request in self._requests:
            try:
                result = await look_up(self._script, request)
            except ArgumentError as exc:
                result = AuthResult(AuthVerdict.INTERNAL_FAILURE, reason=str(exc))
            self._show(result)
        return self._code

    def fail_rest(self, reason: str) -> int:
        """Show that nobody could be asked about the users that are left; returns the exit code."""
        while self._shown_count < len(self._requests):
            self._show(AuthResult(AuthVerdict.INTERNAL_FAILURE, reason=reason))
        return self._code

    def _show(self, result: AuthResult) -> None:
        user = self._lookup.users[self._shown_count]
        # The codes are in the order of how bad they are.
        self._code = max(self._code, exit_codes.of_lookup(result.verdict))
        fields = self._lookup.fields(user, result) if result.is_ok else {}
        if self._is_json:
            click.echo(safe_json(lookup_object(user, result, fields, self.answers)))
        else:
            self._show_human(user, result, fields)
        self._shown_count += 1
        self.answers.clear()

    def _show_human(self, user: str, result: AuthResult, fields: dict[bytes, bytes]) -> None:
        tell_logs(self.answers)
        if not result.is_ok:
            tell(f"lualoft: {self._lookup.driver} lookup: {self._failure(user, result)}")
        elif self._lookup.field is None:
            separator = "\n" if self._shown_count else ""
            click.echo(separator + "\n".join(field_lines(self._lookup.driver, user, fields)))
        elif (name := bytes_of(self._lookup.field)) in fields:
            click.echo(text(fields[name]))
        else:
            # doveadm prints nothing and ends with 0: a user need not have every field.
            tell(f"lualoft: user {user_text(user)} has no field {text(name)}")

    def _failure(self, user: str, result: AuthResult) -> str:
        if result.verdict is AuthVerdict.USER_UNKNOWN:
            return f"user {user_text(user)} doesn't exist"
        return f"user {user_text(user)}: {failure_text(result, self.answers)}"
