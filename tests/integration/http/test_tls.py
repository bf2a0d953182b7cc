"""TLS: whom a client trusts, what it shows, and when it looks at its settings (reference §4.1, §4.8)."""

import re
import ssl
import subprocess

import pytest

from dispatcher.protocol.secret import Secret
from tests.debian import require_program
from tests.integration.http.asking import request
from tests.integration.http.certificates import DAY, NOW, Authority
from tests.integration.http.fault_server import OK, FaultServer
from workers.http.network import Network


def trusting(authority) -> dict:
    return {"ssl_client_ca_file": str(authority.path).encode()}


def assert_handshake_failed(response, server, problem):
    expected = f"SSL handshaking with 127.0.0.1:{server.port} failed: {problem}"
    assert (9003, expected) == (response.status, response.reason.decode())


def test_trusted_server_answers(tls_server, authority, ask):
    response = ask(tls_server.origin + "/", "POST", {"payload": b"x" * 100_000}, **trusting(authority))
    assert (200, b"ok") == (response.status, response.payload)
    assert tls_server.asked[0].endswith(b"x" * 100_000)


def test_connection_is_kept(tls_server, authority, make_client):
    client = make_client(**trusting(authority))
    for _ in range(3):
        client.submit(request(tls_server.origin + "/"))
    assert 1 == tls_server.connection_count


def test_folder_of_authorities_is_trusted(tls_server, authority, ask, tmp_path):
    # OpenSSL looks for HASH.0.
    subject_hash = _subject_hash(authority)
    (tmp_path / f"{subject_hash}.0").write_bytes(authority.path.read_bytes())
    assert 200 == ask(tls_server.origin + "/", ssl_client_ca_dir=str(tmp_path).encode()).status


def _subject_hash(authority) -> str:
    command = [require_program("openssl", package="openssl"), "x509", "-noout", "-hash", "-in", str(authority.path)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def test_unknown_authority_is_refused(tls_server, ask):
    response = ask(tls_server.origin + "/")
    problem = "Received invalid SSL certificate: unable to get local issuer certificate"
    assert_handshake_failed(response, tls_server, problem)
    assert [] == tls_server.asked


def test_other_authority_of_the_same_name_is_refused(tls_server, ask, tmp_path):
    response = ask(tls_server.origin + "/", **trusting(Authority(tmp_path)))
    assert (9003, True) == (response.status, b"Received invalid SSL certificate: " in response.reason)


def test_expired_certificate_is_refused(authority, ask):
    with FaultServer(authority.server("expired", until=NOW - DAY)) as server:
        response = ask(server.origin + "/", **trusting(authority))
        assert_handshake_failed(response, server, "Received invalid SSL certificate: certificate has expired")


@pytest.mark.parametrize("host", ["127.0.0.1", "other.test"])
def test_certificate_of_another_server_is_refused(authority, make_client, host):
    with FaultServer(authority.server("right", "127.0.0.9")) as server:
        client = make_client(Network(resolve=lambda *_: ["127.0.0.1"]), **trusting(authority))
        response = client.submit(request(f"https://{host}:{server.port}/"))
        assert_handshake_failed(response, server, f"SSL certificate doesn't match expected host name {host}")


def test_name_in_the_url_is_what_the_certificate_is_checked_for(authority, make_client):
    with FaultServer(authority.server("right", "127.0.0.9")) as server:
        client = make_client(Network(resolve=lambda *_: ["127.0.0.1"]), **trusting(authority))
        assert 200 == client.submit(request(f"https://right.test:{server.port}/")).status


def test_any_certificate_is_taken_when_told_to(authority, ask):
    with FaultServer(authority.server("expired", "127.0.0.9", until=NOW - DAY)) as server:
        assert 200 == ask(server.origin + "/", ssl_client_require_valid_cert=False).status


def test_host_name_that_no_certificate_can_have_is_refused(tls_server, make_client):
    client = make_client(Network(resolve=lambda *_: ["127.0.0.1"]))
    response = client.submit(request(f"https://{'x' * 100}.test:{tls_server.port}/"))
    assert_handshake_failed(response, tls_server, "No certificate can have this host name")


def test_plain_server_is_no_tls_server(server, ask):
    response = ask(server.origin.replace("http:", "https:") + "/", connect_timeout_ms=500)
    assert 9003 == response.status
    assert response.reason.startswith(f"SSL handshaking with 127.0.0.1:{server.port} failed: ".encode())


def test_server_that_speaks_plainly_first_is_no_tls_server(ask):
    with FaultServer() as server:
        server.greeting = lambda talk: (talk.send(OK), talk.sock.recv(1000))
        response = ask(server.origin.replace("http:", "https:") + "/")
        assert_handshake_failed(response, server, "wrong version number")


def test_silent_handshake_ends_with_the_connect_time_out(server, ask):
    server.greeting = lambda talk: talk.hang()
    response = ask(server.origin.replace("http:", "https:") + "/", connect_timeout_ms=150)
    expected = rf"SSL handshaking with 127\.0\.0\.1:{server.port} failed: Connection timed out in \d+\.\d{{3}} secs"
    assert 9003 == response.status
    assert re.fullmatch(expected, response.reason.decode())


@pytest.mark.parametrize(
    ("greeting", "problem"),
    [(lambda talk: talk.sock.recv(1), "Connection reset by peer"), (lambda talk: talk.sock.recv(9999), "EOF")],
    ids=["reset", "end"],
)
def test_hang_up_in_the_handshake_is_refused(server, ask, greeting, problem):
    # What a server leaves unread when it closes becomes a RST.
    server.greeting = greeting
    assert_handshake_failed(ask(server.origin.replace("http:", "https:") + "/"), server, problem)


def test_failed_handshake_is_tried_as_often_as_connects_are(tls_server, ask):
    response = ask(tls_server.origin + "/", max_connect_attempts=3, connect_backoff_time_ms=1)
    assert (9003, True) == (response.status, b" (3 attempts in " in response.reason)
    assert 3 == tls_server.connection_count


def test_server_that_ends_without_goodbye_ends_the_payload(authority, ask):
    with FaultServer(authority.server()) as server:
        server.on("/", lambda talk: (talk.send(b"HTTP/1.1 200 OK\r\n\r\nall of it"), talk.close()))
        assert b"all of it" == ask(server.origin + "/", **trusting(authority)).payload


# Client certificates.


@pytest.fixture
def demanding_server(authority):
    context = authority.server()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.path)
    with FaultServer(context) as server:
        yield server


def test_client_certificate_is_shown(demanding_server, authority, ask):
    settings = {**trusting(authority), "ssl_client_cert_file": str(authority.client()).encode()}
    assert 200 == ask(demanding_server.origin + "/", **settings).status


def test_client_key_may_have_its_own_file_and_a_password(demanding_server, authority, ask):
    path = str(authority.client("locked", "geheim")).encode()
    settings = {
        **trusting(authority),
        "ssl_client_cert_file": path,
        "ssl_client_key_file": path,
        "ssl_client_key_password": Secret("geheim"),
    }
    assert 200 == ask(demanding_server.origin + "/", **settings).status


@pytest.mark.parametrize("password", [Secret("wrong"), Secret()], ids=["wrong", "none"])
def test_locked_key_is_no_reason_to_ask_the_terminal(demanding_server, authority, ask, password):
    path = str(authority.client("locked2", "geheim")).encode()
    response = ask(demanding_server.origin + "/", ssl_client_cert_file=path, ssl_client_key_password=password)
    assert 9003 == response.status
    assert response.reason.startswith(b"Couldn't initialize SSL client context: ssl_client_cert_file: " + path)
    assert b"geheim" not in response.reason


def test_missing_client_certificate_is_refused_by_the_server(demanding_server, authority, ask):
    assert ask(demanding_server.origin + "/", **trusting(authority)).status in {9003, 9005}


# Protocol and ciphers.


def test_minimum_protocol_is_kept(authority, ask):
    context = authority.server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with FaultServer(context) as server:
        assert 200 == ask(server.origin + "/", **trusting(authority)).status
        response = ask(server.origin + "/", ssl_min_protocol=b"TLSv1.3", **trusting(authority))
        assert_handshake_failed(response, server, "tlsv1 alert protocol version")


def test_cipher_list_is_kept(authority, ask):
    context = authority.server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    with FaultServer(context) as server:
        settings = {**trusting(authority), "ssl_cipher_list": b"ECDHE-ECDSA-AES256-GCM-SHA384"}
        response = ask(server.origin + "/", **settings)
        assert 9003 == response.status
        settings["ssl_cipher_list"] = b"ECDHE-ECDSA-AES128-GCM-SHA256"
        assert 200 == ask(server.origin + "/", **settings).status


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"ssl_client_ca_file": b"/nonexistent/ca.pem"},
            "ssl_client_ca_file: /nonexistent/ca.pem: No such file or directory",
        ),
        ({"ssl_client_ca_dir": b"/nonexistent"}, "ssl_client_ca_dir: /nonexistent: No such directory"),
        ({"ssl_client_cert_file": b"/nonexistent"}, "ssl_client_cert_file: /nonexistent: No such file or directory"),
        # The text is that of Dovecot's own test (test-lua-http-client.c).
        (
            {"ssl_min_protocol": b"cow"},
            "Can't set minimum protocol to 'cow' (ssl_min_protocol setting): Unknown value",
        ),
        ({"ssl_cipher_list": b"NONSENSE"}, "ssl_cipher_list: no usable cipher in it"),
        ({"ssl_cipher_list": b"A\0B"}, "ssl_cipher_list: no usable cipher in it"),
        ({"ssl_client_ca_file": b"/a\0b"}, "ssl_client_ca_file: /a\0b: cannot be used"),
        ({"ssl_options": b"no_compression nonsense"}, "ssl_options: Unknown value 'nonsense'"),
        ({"ssl_cipher_suites": b"TLS_AES_128_GCM_SHA256"}, "ssl_cipher_suites: not supported here"),
        ({"ssl_curve_list": b"P-256"}, "ssl_curve_list: not supported here"),
        ({"ssl_crypto_device": b"x"}, "ssl_crypto_device: not supported here"),
    ],
)
def test_bad_setting_fails_at_the_first_https_request(tls_server, server, make_client, settings, problem):
    client = make_client(**settings)
    assert 200 == client.submit(request(server.origin + "/")).status
    response = client.submit(request(tls_server.origin + "/"))
    expected = f"Couldn't initialize SSL client context: {problem}"
    assert (9003, expected) == (response.status, response.reason.decode())
    assert 0 == tls_server.connection_count


@pytest.mark.parametrize("text", [b"no_compression", b"no_ticket", b"no_compression no_ticket", b""])
def test_known_ssl_options_are_taken(tls_server, authority, ask, text):
    assert 200 == ask(tls_server.origin + "/", ssl_options=text, **trusting(authority)).status


def test_garbage_authority_file_says_so(tls_server, ask, tmp_path):
    (tmp_path / "ca.pem").write_text("nonsense")
    path = f"{tmp_path}/ca.pem"
    response = ask(tls_server.origin + "/", ssl_client_ca_file=path.encode())
    expected = f"Couldn't initialize SSL client context: ssl_client_ca_file: {path}: no certificate or crl found"
    assert (9003, expected) == (response.status, response.reason.decode())
