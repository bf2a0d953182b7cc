"""http_verify_24.lua and http_verify_23.lua against a web service on loopback: verdicts, trouble, and what is sent."""

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dispatcher.protocol.auth_result import AuthVerdict
from tests.integration.lua_scripts.asking import HOSTILE_USERS, shipped
from tests.ports import free_port

OK, MISMATCH = AuthVerdict.OK, AuthVerdict.PASSWORD_MISMATCH
UNKNOWN, FAILURE = AuthVerdict.USER_UNKNOWN, AuthVerdict.INTERNAL_FAILURE

#: Password that asks for an answer -> (status, body) of the service.
ANSWERS = {
    "right": (200, b"{}"),
    "fields": (200, b'{"userdb_uid": 1000, "userdb_quota_rule": "*:storage=5G", "nopassword": "", "x": "y"}'),
    "wrong": (403, b"no"),
    "nobody": (404, b"no"),
    "token": (401, b"no"),
    "bad": (400, b"no"),
    "moved": (302, b""),
    "empty": (200, b""),
    "garbage": (200, b"<html>"),
    "cut": (200, b'{"userdb_uid": 10'),
    "text": (200, b'"text"'),
    "null": (200, b"null"),
    "array": (200, b'["userdb_uid"]'),
    "nested": (200, b'{"userdb_uid": {"a": 1}}'),
    "null field": (200, b'{"userdb_uid": null}'),
    "true field": (200, b'{"userdb_uid": true}'),
    "8-bit": (200, b"\xff\xfe"),
    "error": (500, b"no"),
    "busy": (503, b"no"),
    "nothing": (204, b""),
}

VERDICTS = {"right": OK, "fields": OK, "wrong": MISMATCH, "nobody": UNKNOWN}


class Service(ThreadingHTTPServer):
    """Answers what the password asks for, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/verify"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((question, dict(self.headers)))
        status, body = ANSWERS[question["password"]]
        self.send_response(status)
        self.send_header("Location", self.server.url)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def service():
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        yield service
        service.shutdown()
        thread.join()


def script_for(dialect, url, **settings):
    return shipped(f"http_verify_{dialect.replace('.', '')}", dialect=dialect, url=url, **settings)


@pytest.fixture(params=["2.3", "2.4"])
def dialect(request):
    return request.param


@pytest.mark.parametrize("answer", ANSWERS)
def test_answer_of_the_service_gives_the_verdict(ask, service, dialect, answer):
    result = ask.verify(script_for(dialect, service.url), answer, user="joe")
    assert VERDICTS.get(answer, FAILURE) is result.verdict


def test_only_listed_fields_of_the_answer_are_taken(ask, service, dialect):
    result = ask.verify(script_for(dialect, service.url), "fields", user="joe")
    assert ({}, {b"uid": b"1000", b"quota_rule": b"*:storage=5G"}) == (result.fields, result.userdb_fields)


def test_login_is_sent_as_json_with_the_token(ask, service, dialect):
    service.asked.clear()
    script = script_for(dialect, service.url, token="s3cret")
    assert ask.verify(script, "right", user="joe", protocol="imap", remote_ip="192.0.2.7").is_ok
    ((question, headers),) = service.asked
    assert {"user": "joe", "password": "right", "protocol": "imap", "remote_ip": "192.0.2.7"} == question
    assert ("application/json", "Bearer s3cret") == (headers["Content-Type"], headers["Authorization"])


def test_without_a_token_none_is_sent(ask, service, dialect):
    service.asked.clear()
    assert ask.verify(script_for(dialect, service.url), "right", user="joe").is_ok
    ((_, headers),) = service.asked
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    "user", [*(user for user in HOSTILE_USERS.values() if isinstance(user, str)), "jo\xe4", "\U0001f600", "\x01"]
)
def test_hostile_name_arrives_as_it_is(ask, service, dialect, user):
    service.asked.clear()
    assert MISMATCH is ask.verify(script_for(dialect, service.url), "wrong", user=user).verdict
    assert [user] == [question["user"] for question, _ in service.asked]


@pytest.mark.parametrize(("user", "password"), [(b"jo\xff", "right"), ("joe", b"\xff")], ids=["user", "password"])
def test_what_json_cannot_carry_is_not_asked(ask, service, dialect, user, password):
    service.asked.clear()
    assert FAILURE is ask.verify(script_for(dialect, service.url), password, user=user).verdict
    assert [] == service.asked


def test_refused_connection_is_an_internal_failure(ask, dialect):
    assert FAILURE is ask.verify(script_for(dialect, f"http://127.0.0.1:{free_port()}/"), "right", user="joe").verdict


@pytest.fixture
def silent():
    """A listener that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_silence_is_an_internal_failure_in_time(ask, silent):
    result = ask.verify(script_for("2.4", silent, timeout="300ms"), "right", user="joe")
    assert (FAILURE, True) == (result.verdict, "the service answered 9008" in result.reason)


def hanging_up(listener):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def test_answer_that_breaks_off_is_an_internal_failure(ask, dialect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hanging_up, args=[listener])
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert FAILURE is ask.verify(script_for(dialect, url), "right", user="joe").verdict
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("answer", ["error", "garbage", "right"])
def test_log_shows_neither_password_nor_token(ask, service, dialect, answer):
    log = "".join(ask.log(script_for(dialect, service.url, token="s3cret"), answer, user="joe"))
    assert "s3cret" not in log
    assert f'"{answer}"' not in log


@pytest.mark.parametrize("url", ["", "ftp://example.org/", "example.org"])
def test_missing_url_is_said_at_the_start(ask, url):
    settings = {"url": url} if url else {}
    result = ask.verify(shipped("http_verify_24", **settings), "right", user="joe")
    assert (FAILURE, True) == (result.verdict, "the setting `url` is missing or no http or https URL" in result.reason)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"timeout": "5"}, "Time interval '5' is missing units"),
        ({"timout": "5s"}, "unknown setting `timout`"),
    ],
)
def test_bad_setting_is_said_at_the_start(ask, service, given, expected):
    result = ask.verify(shipped("http_verify_24", url=service.url, **given), "right", user="joe")
    assert (FAILURE, True) == (result.verdict, expected in result.reason)
