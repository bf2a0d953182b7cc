"""Proxies: over TCP and unix sockets, with credentials, with and without a tunnel for https (reference §4.1, §4.4)."""

import contextlib
import re
import socket
import threading

import pytest

from dispatcher.protocol.secret import Secret
from tests.integration.http.asking import request
from tests.integration.http.fault_server import OK, FaultServer, answer, lines
from tests.ports import free_port
from workers.http.network import EgressError, Network

CREDENTIALS = {"proxy_username": b"user", "proxy_password": Secret("pass")}
BASIC = b"Proxy-Authorization: Basic dXNlcjpwYXNz"


def proxy(server) -> dict:
    return {"proxy_url": server.origin.encode()}


def relay(target):
    """A proxy's script for CONNECT: a tunnel to a server."""

    def pump(source, sink):
        # Either side may hang up while the other one's last bytes are on their way.
        with source, sink, contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def script(talk):
        talk.send(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
        onward = socket.create_connection(("127.0.0.1", target.port))
        back = threading.Thread(target=pump, args=(onward, talk.sock.dup()), daemon=True)
        back.start()
        pump(talk.sock.dup(), onward)
        talk.close()

    return script


def test_proxy_is_asked_for_the_whole_url_without_connection_header(server, ask):
    target = "http://nowhere.invalid:8080/a%2Fb?c"
    server.on(target, OK)
    assert 200 == ask(target, **proxy(server)).status
    assert [f"GET {target} HTTP/1.1".encode(), b"Host: nowhere.invalid:8080"] == lines(server.asked[0])


@pytest.mark.parametrize(
    "settings",
    [CREDENTIALS, {"proxy_url": b"user:pass"}, {"proxy_url": b"other:word", **CREDENTIALS}],
    ids=["settings", "URL", "settings win"],
)
def test_credentials_stand_behind_date_and_authorization(server, ask, settings):
    login = settings.get("proxy_url")
    url = server.origin.encode()
    settings = {**settings, "proxy_url": url.replace(b"//", b"//" + login + b"@") if login else url}
    ask("http://a:b@nowhere.invalid/", user_agent=b"me", **settings)
    assert [b"Authorization: Basic YTpi", BASIC, b"User-Agent: me"] == lines(server.asked[0])[2:]


def test_username_without_password_is_empty_password(server, ask):
    ask("http://nowhere.invalid/", proxy_username=b"user", **proxy(server))
    assert b"Proxy-Authorization: Basic dXNlcjo=" in lines(server.asked[0])


def test_connections_to_a_proxy_are_shared_by_all_servers_behind_it(server, make_client):
    client = make_client(**proxy(server))
    for name in ("one", "two"):
        client.submit(request(f"http://{name}.invalid/"))
    assert 1 == server.connection_count


def test_unix_socket_proxy_wins_over_the_url(ask, tmp_path):
    path = str(tmp_path / "proxy")
    with FaultServer(path=path) as server:
        settings = {"proxy_socket_path": path.encode(), "proxy_url": b"http://127.0.0.1:1/", **CREDENTIALS}
        assert 200 == ask("http://nowhere.invalid/", **settings).status
        assert b"GET http://nowhere.invalid/ HTTP/1.1" == lines(server.asked[0])[0]
        assert BASIC in lines(server.asked[0])


def test_missing_unix_socket_is_9003(ask, tmp_path):
    path = f"{tmp_path}/none"
    response = ask("http://nowhere.invalid/", proxy_socket_path=path.encode())
    assert (9003, f"connect({path}) failed: No such file or directory".encode()) == (response.status, response.reason)


@pytest.mark.parametrize("path", [b"/tmp/" + b"x" * 200, b"/tmp/a\0b"], ids=["too long", "NUL"])
def test_impossible_unix_socket_is_9003(ask, path):
    response = ask("http://nowhere.invalid/", proxy_socket_path=path)
    assert (9003, True) == (response.status, response.reason.startswith(b"connect(" + path + b") failed: "))


def test_missing_proxy_is_9003_with_its_address(ask):
    port = free_port()
    response = ask("http://nowhere.invalid/", proxy_url=f"http://127.0.0.1:{port}/".encode())
    assert (9003, f"connect(127.0.0.1:{port}) failed: Connection refused".encode()) == (
        response.status,
        response.reason,
    )


# https.


def trusting(authority) -> dict:
    return {"ssl_client_ca_file": str(authority.path).encode()}


def test_https_goes_through_a_tunnel(server, tls_server, authority, ask):
    name = tls_server.authority
    server.on(name, relay(tls_server))
    settings = {**proxy(server), **CREDENTIALS, **trusting(authority)}
    assert 200 == ask(tls_server.origin + "/p", user_agent=b"me", **settings).status
    connect = [f"CONNECT {name} HTTP/1.1".encode(), f"Host: {name}".encode(), BASIC, b"User-Agent: me"]
    assert connect == lines(server.asked[0])
    # The server behind it is spoken to like any server.
    host = f"Host: {name}".encode()
    assert [b"GET /p HTTP/1.1", host, b"User-Agent: me", b"Connection: Keep-Alive"] == lines(tls_server.asked[0])


def test_tunnel_is_kept_for_the_next_request(server, tls_server, authority, make_client):
    server.on(tls_server.authority, relay(tls_server))
    client = make_client(**proxy(server), **trusting(authority))
    for _ in range(2):
        assert 200 == client.submit(request(tls_server.origin + "/")).status
    assert (1, 1) == (server.connection_count, tls_server.connection_count)


def test_tunnel_through_a_unix_socket(tls_server, authority, ask, tmp_path):
    path = str(tmp_path / "proxy")
    with FaultServer(path=path) as server:
        server.on(tls_server.authority, relay(tls_server))
        response = ask(tls_server.origin + "/", proxy_socket_path=path.encode(), **trusting(authority))
    assert 200 == response.status


def test_certificate_behind_the_tunnel_is_checked(server, tls_server, ask):
    server.on(tls_server.authority, relay(tls_server))
    response = ask(tls_server.origin + "/", **proxy(server))
    assert (9003, True) == (response.status, b"Received invalid SSL certificate" in response.reason)


def test_without_tunnel_the_proxy_is_asked_for_the_https_url(server, ask):
    assert 200 == ask("https://nowhere.invalid/x", proxy_ssl_tunnel=False, **proxy(server)).status
    assert b"GET https://nowhere.invalid/x HTTP/1.1" == lines(server.asked[0])[0]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (answer("403 Forbidden"), rb"403 Forbidden"),
        (answer("407 Proxy Authentication Required"), rb"407 Proxy Authentication Required"),
        (b"garbage here\r\n", rb"Invalid HTTP version in response: `garbage here'<CR><LF>"),
        (lambda talk: talk.close(), rb"Connection closed"),
        (lambda talk: talk.hang(), rb"Connection timed out in \d+\.\d{3} secs"),
    ],
    ids=["403", "407", "garbage", "hang up", "silent"],
)
def test_refused_tunnel_is_9003(server, ask, script, problem):
    server.on("nowhere.invalid:443", script)
    response = ask("https://nowhere.invalid/", connect_timeout_ms=150, **proxy(server))
    assert 9003 == response.status
    assert re.fullmatch(rb"Tunnel connect\(nowhere\.invalid:443\) failed: " + problem, response.reason)


def test_tls_proxy_is_spoken_to_over_tls(tls_server, authority, ask):
    response = ask("http://nowhere.invalid/", **proxy(tls_server), **trusting(authority))
    assert 200 == response.status
    assert b"GET http://nowhere.invalid/ HTTP/1.1" == lines(tls_server.asked[0])[0]


def test_tunnel_through_a_tls_proxy_is_refused_before_it_gets_the_credentials(tls_server, ask):
    response = ask("https://nowhere.invalid/", **proxy(tls_server), **CREDENTIALS)
    expected = b"Tunnel connect(nowhere.invalid:443) failed: No tunnels through a TLS proxy"
    assert (9003, expected, 0) == (response.status, response.reason, tls_server.connection_count)


# The operator's rules hold for servers behind a proxy, and for the proxy.


def restricted(*refused: str, **addresses: str) -> Network:
    """Rules that refuse hosts and addresses, and a resolver for names with one address."""

    def check(host, _port, _name=""):
        if host in refused:
            raise EgressError(f"{host} is refused")

    def resolve(host, _timeout_s):
        return [addresses[host.partition(".")[0]]]

    return Network(resolve=resolve, check_host=check, check_address=check, is_restricted=True)


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://evil.test/", "evil.test"),
        ("https://evil.test/", "evil.test"),
        ("http://10.0.0.1/", "10.0.0.1"),
        ("http://rebound.test/", "10.0.0.1"),
    ],
)
def test_refused_server_is_not_asked_for_through_a_proxy(server, make_client, url, refused):
    client = make_client(restricted(refused, evil="192.0.2.1", rebound="10.0.0.1"), **proxy(server))
    response = client.submit(request(url))
    assert (9003, True) == (response.status, response.reason.endswith(f" failed: {refused} is refused".encode()))
    assert 0 == server.connection_count


def test_allowed_server_is_asked_for_through_a_proxy(server, make_client):
    client = make_client(restricted("10.0.0.1", fine="192.0.2.1"), **proxy(server))
    assert 200 == client.submit(request("http://fine.test/")).status


def test_refused_proxy_is_not_reached(server, make_client):
    client = make_client(restricted("127.0.0.1", fine="192.0.2.1"), **proxy(server))
    assert 9003 == client.submit(request("http://fine.test/")).status
    assert 0 == server.connection_count


def test_rules_allow_no_unix_socket(make_client, tmp_path):
    path = str(tmp_path / "proxy")
    with FaultServer(path=path) as server:
        client = make_client(restricted(fine="192.0.2.1"), proxy_socket_path=path.encode())
        response = client.submit(request("http://fine.test/"))
        expected = f"connect({path}) failed: the script's egress rules allow no unix sockets"
        assert (9003, expected) == (response.status, response.reason.decode())
        assert 0 == server.connection_count
