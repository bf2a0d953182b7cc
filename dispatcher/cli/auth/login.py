"""`lualoft auth test`: tries a login, shaped like `doveadm auth test`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from dispatcher.cli import exit_codes
from dispatcher.cli.auth.auth_info import auth_info_option
from dispatcher.cli.auth.inquiry import Inquiry, ask, find_scripts, inquiry_options, tell_logs
from dispatcher.cli.auth.report import failure_text, login_lines, login_object
from dispatcher.cli.script_options import STDIN
from dispatcher.cli.terminal import safe_json, tell
from dispatcher.protocol.auth_result import AuthResult, AuthVerdict
from dispatcher.protocol.errors import ArgumentError
from dispatcher.protocol.password_input import ask_password, has_terminal, password_from_file, password_from_stdin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dispatcher.auth import Answer, Auth
    from dispatcher.catalog import Script
    from dispatcher.cli.global_options import GlobalOptions

#: What `doveadm auth test` logs in with.
_MECHANISM: Final = "PLAIN"


def _refuse_password(_ctx: click.Context, _param: click.Parameter, extra: tuple[str, ...]) -> None:
    # click would show what it did not expect, and that is a password.
    if extra:
        raise click.UsageError(
            "a password is not taken from the command line, where `ps` shows it to everybody: leave it out to be asked "
            "for it, or use --password-stdin or --password-file"
        )


@click.command("test", short_help="Try a login.")
@click.argument("script")
@click.argument("user")
@click.argument("extra", nargs=-1, metavar="", callback=_refuse_password, expose_value=False)
@click.option("--password-stdin", "is_stdin", is_flag=True, help="Read the password from standard input, first line.")
@click.option("--password-file", metavar="PATH", help="Read it from a file, first line; - for stdin.")
@click.option("--then", metavar="SCRIPT", multiple=True, help="Ask this script too if those before refuse; repeatable.")
@auth_info_option
@inquiry_options
@click.pass_obj
def command(
    options: GlobalOptions,
    /,
    *,
    script: str,
    user: str,
    is_stdin: bool,
    password_file: str | None,
    then: tuple[str, ...],
    **inquiry: Any,  # noqa: ANN401 - the fields of Inquiry
) -> int:
    """Try to log USER in with SCRIPT: auth_password_verify, or auth_passdb_lookup and the password that it returns.

    SCRIPT is a file, a name from the settings, or - for standard input. The password is asked for at the terminal. With
    --then, several scripts are asked in turn as Dovecot asks its passdbs: the first that lets the user in ends it.

    \b
      lualoft auth test auth.lua joe
      lualoft auth test auth.lua joe --password-file FILE -x service=imap -x rip=192.0.2.1

    -x takes the names of doveadm auth test and those of Dovecot 2.4. What the script logs goes to standard error.

    \b
    Exit codes: 0 logged in; 1 refused; 2 wrong usage; 75 nobody decided (the
    script failed, no answer in time, no Redis); 78 wrong settings.
    """  # noqa: D301 - click's mark for lines that are kept as they are
    names = [script, *then]
    if is_stdin and password_file is not None:
        raise click.UsageError("--password-stdin and --password-file exclude each other")
    is_stdin = is_stdin or password_file == STDIN
    if is_stdin and STDIN in names:
        raise click.UsageError("script and password cannot both be standard input")
    chosen = Inquiry.of(inquiry)
    request = {"mechanism": _MECHANISM, **chosen.request(user)}
    scripts = find_scripts(options, names, chosen)
    login = _Login(scripts, request, _password(None if is_stdin else password_file, is_stdin=is_stdin), chosen)
    return ask(options, chosen, login.run, on_answer=login.answers.append, on_unavailable=login.fail)


def _password(path: str | None, *, is_stdin: bool) -> bytes:
    if path is not None:
        password = password_from_file(path)
    elif has_terminal():
        # Even with --password-stdin: what is typed must not be shown.
        password = ask_password("Password: ")
    elif is_stdin:
        password = password_from_stdin()
    else:
        raise click.UsageError(
            "there is no terminal to ask for the password at: use --password-stdin or --password-file"
        )
    if b"\0" in password:
        # Scripts would be given what stands before it, and a login would succeed with another password than this.
        raise click.UsageError("the password holds a NUL, which ends a password in Dovecot")
    return password


class _Login:
    """One login on its way; `repr` shows nothing of it."""

    def __init__(self, scripts: Sequence[Script], request: dict[str, Any], password: bytes, inquiry: Inquiry) -> None:
        self._scripts = scripts
        self._request = request
        self._password = password
        self._is_json = inquiry.is_json
        self.answers: list[Answer] = []

    async def run(self, auth: Auth) -> int:
        """Ask, show, and return the exit code."""
        from dispatcher.auth_chain import Link

        try:
            chain = [Link(script) for script in self._scripts]
            return self._show(await auth.verify_chain(chain, self._request, self._password))
        except ArgumentError as exc:
            return self.fail(str(exc))

    def fail(self, reason: str) -> int:
        """Show that nobody could be asked; returns the exit code."""
        return self._show(AuthResult(AuthVerdict.INTERNAL_FAILURE, reason=reason))

    def _show(self, result: AuthResult) -> int:
        user = self._request["user"]
        if self._is_json:
            click.echo(safe_json(login_object(user, result, self.answers)))
            return exit_codes.of_login(result.verdict)
        tell_logs(self.answers)
        # Where no script was asked, nothing else says why.
        if result.verdict is AuthVerdict.INTERNAL_FAILURE or not self.answers:
            tell(f"lualoft: {failure_text(result, self.answers)}")
        click.echo("\n".join(login_lines(user, result, self.answers)))
        return exit_codes.of_login(result.verdict)
