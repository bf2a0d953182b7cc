"""`lualoft pw`: makes, tests and lists password hashes, shaped like `doveadm pw`.

Named by a string in `dispatcher.cli.commands`, because that side must not import this one. Needs no Redis. Never shows
a password.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Final

import click

from dispatcher.protocol.errors import EXIT_FAILURE
from dispatcher.protocol.password_input import ask_password, has_terminal, password_from_file, password_from_stdin
from workers.passwords.check import split_scheme, verify
from workers.passwords.generate import generate
from workers.passwords.policy import Dialect
from workers.passwords.schemes import list_schemes
from workers.passwords.verdict import SchemeError, Verdict, Verification

#: The scheme of `doveadm pw`; makes a `$2y$` hash.
_DEFAULT_SCHEME: Final = "CRYPT"

#: Stands for standard input.
_STANDARD: Final = "-"

#: What doveadm says before the text of the check.
_DECODE_FAILED: Final = "reverse decode check failed"
_CHECK_FAILED: Final = "reverse password verification check failed"


@dataclass(frozen=True)
class PasswordOptions:
    """The options, as they were typed."""

    scheme: str
    password: str | None = field(repr=False)
    password_file: str | None
    #: May be `-`.
    test: str | None = field(repr=False)
    user: str
    rounds: int
    is_verified: bool
    is_json: bool

    def plain(self, *, is_new: bool) -> bytes:
        """Return the password; a hash of an empty one would let everybody in."""
        if self.password is None:
            password = self._read(is_new=is_new)
            if is_new and not password:
                raise click.UsageError("the password is empty")
            return password
        if self.password_file is not None:
            raise click.UsageError("-p and --password-file exclude each other")
        return os.fsencode(self.password)

    def _read(self, *, is_new: bool) -> bytes:
        if self.password_file is None and has_terminal():
            if is_new:
                return ask_password("Enter new password: ", "Retype new password: ")
            return ask_password("Enter password to verify: ")
        if self.password_file is None or self.password_file == _STANDARD:
            return password_from_stdin()
        return password_from_file(self.password_file)

    @property
    def username(self) -> bytes:
        """The user name as bytes."""
        return os.fsencode(self.user)


@click.command("pw", short_help="Make or test a password hash, like doveadm pw.")
@click.option("-s", "--scheme", default=_DEFAULT_SCHEME, metavar="SCHEME", help="Scheme, perhaps with .hex or .b64.")
@click.option("--password-file", metavar="PATH", help="File whose first line is the password, - for standard input.")
@click.option("-p", "--password", metavar="PASSWORD", help="Password, as doveadm takes it. Others can see it in ps.")
@click.option("-t", "--test", metavar="HASH", help="Test the password against a {SCHEME}hash, - for standard input.")
@click.option("-u", "--user", default="", metavar="USER", help="User name, which DIGEST-MD5 hashes too.")
@click.option("-r", "--rounds", default=0, type=click.IntRange(min=0), metavar="N", help="Cost; bcrypt's is a log2.")
@click.option("-V", "is_verified", is_flag=True, help="Check the new hash before it is printed.")
@click.option("-l", "--list", "is_list", is_flag=True, help="List the schemes.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def command(*, is_list: bool, **options: object) -> int:
    """Make a hash of a password, or test one.

    The password is asked for twice at a terminal, read from a file, or is the first line of standard input:

    \b
      lualoft pw -s BLF-CRYPT -r 10
      lualoft pw -s ARGON2ID --password-file FILE
      lualoft pw -t - < FILE      hash in the first line, password in the second

    \b
    Exit codes: 0 done, or the password matches; 1 it does not, or the hash
    cannot be used; 2 wrong usage.
    """  # noqa: D301 - click's mark for lines that are kept as they are
    chosen = PasswordOptions(**options)  # type: ignore[arg-type]  # click gives each option its declared type
    if is_list:
        return _list(is_json=chosen.is_json)
    return _make(chosen) if chosen.test is None else _test(chosen)


def _list(*, is_json: bool) -> int:
    schemes = list_schemes(Dialect.EITHER)
    if is_json:
        dialects = [dialect for dialect in Dialect if dialect]
        shown = [
            {
                "name": scheme.name.decode(),
                "is_weak": scheme.is_weak,
                "dialects": [dialect.value for dialect in dialects if scheme.is_in(dialect)],
            }
            for scheme in schemes
        ]
        click.echo(json.dumps(shown))
    else:
        click.echo(" ".join(scheme.name.decode() for scheme in schemes))
    return 0


def _make(options: PasswordOptions) -> int:
    plain = options.plain(is_new=True)
    hashed = generate(options.scheme, plain, options.username, options.rounds)
    if options.is_verified:
        return _report(options, hashed, plain)
    click.echo(json.dumps({"hash": _text(hashed)}) if options.is_json else hashed)
    return 0


def _test(options: PasswordOptions) -> int:
    stored = password_from_stdin() if options.test == _STANDARD else os.fsencode(options.test or "")
    split = split_scheme(stored)
    if split.scheme is None:
        raise SchemeError("Missing {scheme} prefix from hash")
    return _report(options, b"{%s}%s" % split, options.plain(is_new=False))


def _report(options: PasswordOptions, hashed: bytes, plain: bytes) -> int:
    done = verify(hashed, plain, username=options.username, default_scheme="PLAIN", allow_weak=True)
    if options.is_json:
        shown = {
            "hash": _text(hashed),
            "verdict": done.verdict.value,
            "result": done.result,
            "error": _text(done.error),
        }
        click.echo(json.dumps(shown))
    elif done.is_match:
        click.echo(hashed + b" (verified)")
    else:
        click.echo(f"lualoft: {_failure(done)}", err=True)
    return 0 if done.is_match else EXIT_FAILURE


def _failure(done: Verification) -> str:
    is_decoding = done.verdict in {Verdict.UNKNOWN_SCHEME, Verdict.UNDECODABLE}
    return f"{_DECODE_FAILED if is_decoding else _CHECK_FAILED}: {_text(done.error)}"


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")
