"""The side of the differential tests of auth that is a real Dovecot."""

from tests.acceptance.auth_case import Seen, logs_of
from tests.acceptance.dovecot import Dovecot


def through_dovecot(folder, question, *, blocking=False):
    """What Dovecot makes of each case."""
    path = question.path(folder)
    path.write_bytes(question.source().encode("utf-8", "surrogateescape"))
    # Short, as unix sockets stand in it.
    home = folder / f"{question.name}{blocking:d}"
    home.mkdir()
    dovecot = Dovecot(home, path, blocking=blocking)
    try:
        if question.command == "AUTH":
            answers = dovecot.logins(
                [(question.parameters(number), _plain(case)) for number, case in question.numbered()],
            )
        else:
            requests = [(case.user, question.parameters(number)) for number, case in question.numbered()]
            answers = dovecot.master().ask(question.command, requests)
    except (AssertionError, OSError) as exc:
        raise AssertionError(f"{exc}\n{dovecot.log}") from exc
    finally:
        dovecot.close()
    logs = logs_of(dovecot.log)
    seen = (of_dovecot(answer) for answer in answers)
    return [one._replace(log=logs.get(question.session(number), ())) for number, one in enumerate(seen)]


def of_dovecot(answer):
    fields = dict(answer.fields)
    user = answer.user or fields.pop("user", "")
    if answer.verdict in {"OK", "PASS", "USER", "NOTFOUND"}:
        return Seen(answer.verdict, user, fields)
    code = fields.pop("code", "")
    # In auth-worker, `noauthenticate` beside a password tells the client that password. The pool does not.
    fields = {key: value for key, value in fields.items() if not key.startswith("{PLAIN}")}
    if fields.get("reason") == "Configured passdbs don't support credentials lookups":
        # Says the protocol, whatever was wrong.
        del fields["reason"]
    return Seen(f"FAIL {code}".strip(), user, fields)


def _plain(case):
    return f"\0{case.user}\0{case.password}".encode("utf-8", "surrogateescape")
