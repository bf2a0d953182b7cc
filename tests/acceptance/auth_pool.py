"""The side of the differential tests of auth that is the pool, in dialect 2.3."""

import asyncio

from dispatcher.auth import Auth
from dispatcher.auth_chain import Link
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.auth_result import AuthVerdict
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, ScriptSettings, Settings
from tests.acceptance.auth_case import Seen, logs_of
from tests.acceptance.dovecot_protocol import escaped, pairs, unescaped

#: Name in Dovecot's protocol -> variable of 2.4, in which the pool is asked.
VARIABLES = {
    "service": "protocol", "lip": "local_ip", "rip": "remote_ip", "lport": "local_port", "rport": "remote_port",
    "real_lip": "real_local_ip", "real_rip": "real_remote_ip", "real_lport": "real_local_port",
    "real_rport": "real_remote_port", "session": "session", "local_name": "local_name", "client_id": "client_id",
}  # fmt: skip


def through_pool(folder, questions):
    """What the pool makes of the cases of all questions: name -> answers."""

    async def scenario(auth):
        return {question.name: await _ask_pool(auth, folder, question) for question in questions}

    log = folder / "pool.log"
    answers = with_pool(scenario, log)
    logs = logs_of(log.read_text())
    return {
        question.name: [
            seen._replace(log=logs.get(question.session(number), ()))
            for number, seen in enumerate(answers[question.name])
        ]
        for question in questions
    }


def with_pool(scenario, log):
    """Run a coroutine function of an Auth whose pool logs into a file."""
    with log.open("wb") as err, EmbeddedServer() as server:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=2, grace_s=5.0),
        )

        async def run():
            async with AsyncDispatcher(settings) as dispatcher:
                return await scenario(Auth(dispatcher, deadline_s=60))

        with LocalPool(settings, stderr=err.fileno()):
            return asyncio.run(run())


async def _ask_pool(auth, folder, question):
    path = question.path(folder)
    path.write_bytes(question.source().encode("utf-8", "surrogateescape"))
    package = script_at(path)
    ask = {"AUTH": _login, "PASS": _credentials, "USER": _user}[question.command]
    requests = (
        (_request(case, question.parameters(number)), case.password.encode("utf-8", "surrogateescape"))
        for number, case in question.numbered()
    )
    return await asyncio.gather(*(ask(auth, package, *request) for request in requests))


def script_at(path):
    """The file as Dovecot 2.3 would run it."""
    return Script.from_file(path, ScriptSettings(dialect="2.3", lua="5.4"))


async def _login(auth, package, request, password):
    return of_login(await auth.verify_chain([Link(package)], {**request, "mechanism": "PLAIN"}, password))


def of_login(result):
    """A login's result as Dovecot's client hears of it."""
    verdict = {
        AuthVerdict.OK: "OK",
        AuthVerdict.USER_DISABLED: "FAIL user_disabled",
        AuthVerdict.PASS_EXPIRED: "FAIL pass_expired",
        AuthVerdict.INTERNAL_FAILURE: "FAIL temp_fail",
    }.get(result.verdict, "FAIL")
    return Seen(verdict, text(result.user), told(result.fields))


async def _credentials(auth, package, request, _password):
    result = await auth.lookup(package, request)
    if result.is_ok:
        return Seen("PASS", text(result.user), told(result.fields))
    unknown = {AuthVerdict.USER_UNKNOWN, AuthVerdict.USER_DISABLED, AuthVerdict.PASS_EXPIRED}
    return Seen("NOTFOUND" if result.verdict in unknown else "FAIL", "", {})


async def _user(auth, package, request, _password):
    result = await auth.userdb(package, request)
    if result.is_ok:
        return Seen("USER", text(result.user), told(result.userdb_fields))
    if result.verdict is AuthVerdict.USER_UNKNOWN:
        return Seen("NOTFOUND", "", {})
    reason = {key: value for key, value in told(result.userdb_fields).items() if key == "reason"}
    return Seen("FAIL", "", reason)


def _request(case, parameters):
    request = {VARIABLES[name]: value for name, value in parameters.items()}
    for name in ("local_ip", "remote_ip", "local_port", "remote_port"):
        if name in request:
            request.setdefault(f"real_{name}", request[name])
    return {name: value.encode("utf-8", "surrogateescape") for name, value in request.items()} | {
        "user": case.user.encode("utf-8", "surrogateescape"),
    }


def told(fields):
    """Fields as Dovecot's client reads them after they were written as Dovecot writes them: keys are not escaped."""
    words = (unescaped(f"{text(key)}={escaped(text(value))}") for key, value in fields.items())
    return pairs(words)


def text(data):
    return data.decode("utf-8", "surrogateescape")
