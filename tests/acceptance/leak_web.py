"""HTTP and DNS of scripts with marked secrets: headers, payloads, proxies, keys; answered, broken, not answered."""

import asyncio
import ssl

from cryptography.hazmat.primitives import serialization

from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.protocol.settings import ScriptSettings
from tests.acceptance.leak_site import LIMIT_S, SCRIPT
from tests.certificates import Authority
from tests.integration.http.fault_server import FaultServer


def use_web(site):
    """HTTP of scripts: headers, payloads, proxies; answered, refused and not answered."""
    settings = site.settings()
    scripts = {dialect: Script.from_file(SCRIPT, ScriptSettings(dialect=dialect)) for dialect in ("2.3", "2.4")}
    asyncio.run(_use_web(site, settings, scripts))
    asked = b"".join(site.web.asked)
    assert site.markers["Authorization of 2.4"].encode() in asked
    assert site.markers["payload of socket.http"].encode() in asked


async def _use_web(site, settings, scripts):
    markers = site.markers
    async with AsyncDispatcher(settings) as dispatcher:
        for url in (f"{site.web.origin}/", "http://127.0.0.1:1/", "http://nowhere.invalid/"):
            for dialect, script in scripts.items():
                given = [markers[f"{what} of {dialect}"] for what in ("proxy password", "Authorization", "payload")]
                proxy = url if ":1/" in url else site.web.origin
                function = "post_" + dialect.replace(".", "")
                site.note("outcome", await dispatcher.call(script, function, url, proxy, *given, deadline_s=LIMIT_S))
            given = [markers[f"{what} of socket.http"] for what in ("password", "Authorization", "payload")]
            outcome = await dispatcher.call(scripts["2.4"], "fetch", url, *given, deadline_s=LIMIT_S)
            site.note("outcome", outcome)


def use_answers(site):
    """Servers that answer with secrets in every place, rightly and wrongly; and what stands in the transcripts.

    As in Dovecot, an error quotes the version and the name of a header that it cannot read; those are not secrets.
    """
    secret = site.markers["secret of a server"].encode()
    answers = {
        "/right": b"HTTP/1.1 200 OK\r\nSet-Cookie: %b\r\nContent-Length: 34\r\n\r\n%b",
        "/reason": b"HTTP/1.1 500 %b\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
        "/retry": b"HTTP/1.1 503 no\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n",
        "/version": b"HTTP/9.9 200 %b\r\n\r\n",
        "/status": b"HTTP/1.1 %b\r\n\r\n",
        "/header": b"HTTP/1.1 200 OK\r\nX\1: %b\r\n\r\n",
        "/value": b"HTTP/1.1 200 OK\r\nX: \0%b\r\n\r\n",
        "/length": b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n",
        "/coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %b\r\n\r\n",
        "/chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n",
        "/trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%b\r\n\r\n",
        "/half": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 999\r\n\r\n%b",
        "/away": b"HTTP/1.1 302 Found\r\nLocation: http://joe:%b@127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "/bad": b"HTTP/1.1 302 Found\r\nLocation: gopher://joe:%b@h/\r\nContent-Length: 0\r\n\r\n",
        "/worse": b"HTTP/1.1 302 Found\r\nLocation: http://joe:%b@h:port/\r\nContent-Length: 0\r\n\r\n",
    }
    for target, answer in answers.items():
        site.web.scripts[target.encode()] = answer.replace(b"%b", secret)
    rawlog = site.folder / "rawlog"
    rawlog.mkdir()
    asyncio.run(_use_answers(site, answers, rawlog))
    transcripts = list(rawlog.iterdir())
    assert any(secret in path.read_bytes() for path in transcripts)
    # They hold everything, on purpose, and are for the worker's user only.
    assert {0o600} == {path.stat().st_mode & 0o777 for path in transcripts}


async def _use_answers(site, targets, rawlog):
    script = Script.from_file(SCRIPT)
    token = site.markers["token of a request"]
    async with AsyncDispatcher(site.settings()) as dispatcher:
        calls = [
            dispatcher.call(script, "ask", f"{site.web.origin}{target}", str(rawlog), token, deadline_s=LIMIT_S)
            for target in targets
        ]
        for target, outcome in zip(targets, await asyncio.gather(*calls), strict=True):
            site.note(f"outcome of {target}", outcome)


def use_keys_and_names(site):
    """A client key with a password, right and wrong; texts that decoders refuse; a name that is looked up."""
    folder = site.folder / "client"
    folder.mkdir()
    authority = Authority(folder)
    certificate, key = authority.issue("client")
    locked = folder / "locked.pem"
    right = site.markers["password of a client key"]
    locked.write_bytes(
        serialization.load_pem_private_key(key.read_bytes(), None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(right.encode()),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.file)
    context.load_cert_chain(*authority.issue("server", address="127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    with FaultServer(context) as server:
        given = (f"{server.origin}/", str(authority.file), str(certificate), str(locked))
        asyncio.run(_use_keys_and_names(site, given, right))


async def _use_keys_and_names(site, given, right):
    markers = site.markers
    async with AsyncDispatcher(site.settings()) as dispatcher:
        for password, status in ((right, 200), (markers["wrong password of a client key"], 9003)):
            outcome = site.note("outcome", await dispatcher.call("app", "tls", *given, password, deadline_s=LIMIT_S))
            assert [status] == outcome.values
        decoded = await dispatcher.call("app", "decode", markers["text that decoders refuse"], deadline_s=LIMIT_S)
        assert site.note("outcome", decoded).is_ok
        looked_up = await dispatcher.call("app", "resolve", markers["host"] + ".invalid", deadline_s=LIMIT_S)
        assert site.note("outcome", looked_up).is_ok
