"""Connecting: names, addresses, pauses, races, rules (reference §4.1, §4.7, §4.8)."""

import os
import re
import resource
import socket
import time

import pytest

from dispatcher.protocol.errors import LualoftError
from tests.integration.http.asking import request
from tests.integration.http.fault_server import OK, FaultServer, black_hole
from tests.ports import free_port
from workers.http.network import EgressError, HostLookupError, Network

QUICK = {"connect_backoff_time_ms": 1, "connect_backoff_max_time_ms": 1}


def outcome(response):
    return response.status, response.reason.decode()


class Names:
    """A resolver that knows what it is told, and counts."""

    def __init__(self, *addresses: str):
        self.addresses = list(addresses)
        self.asked = []

    def __call__(self, host, timeout_s):
        self.asked.append((host, timeout_s))
        return self.addresses


def test_refused_connect_names_the_address(ask):
    port = free_port()
    assert (9003, f"connect(127.0.0.1:{port}) failed: Connection refused") == outcome(ask(f"http://127.0.0.1:{port}/"))


def test_refused_connect_is_not_a_matter_of_request_attempts(ask):
    port = free_port()
    response = ask(f"http://127.0.0.1:{port}/", request_max_attempts=5)
    assert (9003, 0) == (response.status, response.stats.attempts)
    assert b"attempts" not in response.reason


def test_connect_is_tried_as_often_as_set(ask):
    port = free_port()
    response = ask(f"http://127.0.0.1:{port}/", max_connect_attempts=3, **QUICK)
    expected = rf"connect\(127\.0\.0\.1:{port}\) failed: Connection refused \(3 attempts in \d+\.\d{{3}} secs\)"
    assert re.fullmatch(expected, response.reason.decode())


def test_connect_without_descriptors_is_9003(server, ask):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    client = ask.make_client()
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        response = client.submit(request(server.origin + "/"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (9003, "socket() failed: Too many open files") == outcome(response)


def test_pauses_between_connects_double(ask):
    port = free_port()
    started_s = time.monotonic()
    ask(f"http://127.0.0.1:{port}/", max_connect_attempts=4, connect_backoff_time_ms=20)
    assert 0.140 <= time.monotonic() - started_s  # 20 + 40 + 80 ms


def test_pauses_between_connects_stop_growing_at_the_maximum(ask):
    port = free_port()
    started_s = time.monotonic()
    pauses = {"connect_backoff_time_ms": 1, "connect_backoff_max_time_ms": 2}
    ask(f"http://127.0.0.1:{port}/", max_connect_attempts=20, **pauses)
    assert time.monotonic() - started_s < 2  # doubled 19 times it would be minutes


def test_pause_goes_on_in_the_next_request(make_client):
    client = make_client(connect_backoff_time_ms=400)
    asked = request(f"http://127.0.0.1:{free_port()}/")
    client.submit(asked)
    started_s = time.monotonic()
    client.submit(asked)
    assert 0.2 <= time.monotonic() - started_s


def test_pause_that_outlasts_the_request_is_not_waited_for(make_client):
    client = make_client(connect_backoff_time_ms=60_000, connect_timeout_ms=30_000)
    port = free_port()
    client.submit(request(f"http://127.0.0.1:{port}/"))
    started_s = time.monotonic()
    response = client.submit(request(f"http://127.0.0.1:{port}/"))
    assert time.monotonic() - started_s < 10
    expected = f"connect(127.0.0.1:{port}) failed: Connect is delayed after earlier failures"
    assert (9003, expected) == outcome(response)


def test_success_ends_the_pauses(server, make_client):
    port = server.port
    client = make_client(Network(resolve=Names("127.0.0.2", "127.0.0.1")), connect_backoff_time_ms=60_000)
    for _ in range(2):
        # The address that answered is tried first from then on.
        assert 200 == client.submit(request(f"http://two.test:{port}/")).status


# Names.


def test_name_is_resolved_by_the_network_within_the_connect_time_out(server, make_client):
    names = Names("127.0.0.1")
    client = make_client(Network(resolve=names), connect_timeout_ms=1500)
    assert 200 == client.submit(request(f"http://some.host.test:{server.port}/")).status
    assert [("some.host.test", 1.5)] == names.asked
    assert f"Host: some.host.test:{server.port}".encode() in server.asked[0]


def test_addresses_are_kept_for_dns_ttl(server, make_client):
    names = Names("127.0.0.1")
    server.on("/", lambda talk: (talk.send(OK), talk.close()))
    client = make_client(Network(resolve=names))
    for _ in range(3):
        client.submit(request(f"http://some.test:{server.port}/"))
    assert 1 == len(names.asked)


def test_dns_ttl_of_zero_asks_for_each_connection(server, make_client):
    names = Names("127.0.0.1")
    server.on("/", lambda talk: (talk.send(b"HTTP/1.0 200 OK\r\n\r\n"), talk.close()))
    client = make_client(Network(resolve=names), dns_ttl_ms=0)
    for _ in range(3):
        client.submit(request(f"http://some.test:{server.port}/"))
    assert 3 == len(names.asked)


def test_addresses_that_do_not_answer_are_forgotten(make_client):
    names = Names("127.0.0.1")
    client = make_client(Network(resolve=names), **QUICK)
    for _ in range(2):
        client.submit(request(f"http://some.test:{free_port()}/"))
    assert 2 == len(names.asked)


def test_failed_lookup_is_9002_with_the_resolvers_words(make_client):
    def resolve(_host, _timeout_s):
        raise HostLookupError("NXDOMAIN for once")

    response = make_client(Network(resolve=resolve)).submit(request("http://no.test/"))
    assert (9002, "Failed to lookup host no.test: NXDOMAIN for once") == outcome(response)


def test_lookup_without_addresses_is_9002(make_client):
    response = make_client(Network(resolve=Names())).submit(request("http://no.test/"))
    assert (9002, "Failed to lookup host no.test: No addresses") == outcome(response)


def test_systems_resolver_says_why(ask):
    response = ask("http://nowhere.invalid/")
    assert (9002, True) == (response.status, response.reason.startswith(b"Failed to lookup host nowhere.invalid: "))


def test_address_literals_are_not_looked_up(make_client):
    names = Names()
    client = make_client(Network(resolve=names))
    with FaultServer() as server:
        client.submit(request(server.origin + "/"))
    assert [] == names.asked


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")  # noqa: PTH110
def test_ipv6_server_is_reached_and_named_in_brackets(make_client):
    with FaultServer(host="::1") as server:
        assert 200 == make_client().submit(request(server.origin + "/")).status
        assert f"Host: [::1]:{server.port}".encode() in server.asked[0]


# Several addresses.


def test_next_address_is_tried_after_a_failure(server, make_client):
    client = make_client(Network(resolve=Names("127.0.0.2", "127.0.0.3", "127.0.0.1")))
    assert 200 == client.submit(request(f"http://three.test:{server.port}/")).status


def test_each_address_is_tried_once(make_client):
    port = free_port()
    client = make_client(Network(resolve=Names("127.0.0.2", "127.0.0.3")))
    response = client.submit(request(f"http://two.test:{port}/"))
    expected = rf"connect\(127\.0\.0\.3:{port}\) failed: Connection refused \(2 attempts in \d\.\d{{3}} secs\)"
    assert re.fullmatch(expected, response.reason.decode())


def test_fewer_attempts_than_addresses_leave_some_untried(server, make_client):
    client = make_client(Network(resolve=Names("127.0.0.2", "127.0.0.3", "127.0.0.1")), max_connect_attempts=2)
    assert 9003 == client.submit(request(f"http://three.test:{server.port}/")).status
    assert 0 == server.connection_count


def test_more_attempts_than_addresses_try_some_again(make_client):
    client = make_client(Network(resolve=Names("127.0.0.2", "127.0.0.3")), max_connect_attempts=5, **QUICK)
    response = client.submit(request(f"http://two.test:{free_port()}/"))
    assert b"connect(127.0.0.2:" in response.reason
    assert b"(5 attempts in " in response.reason


def test_soft_time_out_starts_the_next_address_beside_a_silent_one(server, make_client):
    with black_hole("127.0.0.2", server.port):
        client = make_client(Network(resolve=Names("127.0.0.2", "127.0.0.1")), soft_connect_timeout_ms=50)
        started_s = time.monotonic()
        assert 200 == client.submit(request(f"http://two.test:{server.port}/")).status
    assert time.monotonic() - started_s < 5  # of a minute that the first address had


def test_without_soft_time_out_a_silent_address_has_all_its_time(server, make_client):
    with black_hole("127.0.0.2", server.port):
        client = make_client(Network(resolve=Names("127.0.0.2", "127.0.0.1")), connect_timeout_ms=200)
        started_s = time.monotonic()
        assert 200 == client.submit(request(f"http://two.test:{server.port}/")).status
    assert 0.2 <= time.monotonic() - started_s


def test_all_silent_addresses_end_in_a_time_out(make_client):
    with black_hole("127.0.0.2") as port, black_hole("127.0.0.3", port):
        settings = {"soft_connect_timeout_ms": 20, "connect_timeout_ms": 150}
        client = make_client(Network(resolve=Names("127.0.0.2", "127.0.0.3")), **settings)
        response = client.submit(request(f"http://two.test:{port}/"))
    expected = r"connect\(127\.0\.0\.[23]:\d+\) failed: Connection timed out in \S+ secs \(2 attempts in \S+ secs\)"
    assert re.fullmatch(expected, response.reason.decode())


def test_socket_buffers_are_set(server, make_client):
    client = make_client(socket_send_buffer_size_bytes=8192, socket_recv_buffer_size_bytes=16384)
    client.submit(request(server.origin + "/"))
    [pool] = client._engine.adapter._pools.values()
    [connection] = pool._idle
    # The kernel doubles what it is told.
    assert 2 * 8192 == connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert 2 * 16384 == connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def test_socket_buffers_of_any_size_are_taken(server, ask):
    sizes = {"socket_send_buffer_size_bytes": 2**50, "socket_recv_buffer_size_bytes": 1}
    assert 200 == ask(server.origin + "/", **sizes).status


# The operator's rules.


def refuse(*names: str):
    def check(host, port, _name=""):
        if host in names:
            raise EgressError(f"{host} port {port} is not on the list")

    return check


def test_refused_host_is_neither_resolved_nor_reached(server, make_client):
    names = Names("127.0.0.1")
    client = make_client(Network(resolve=names, check_host=refuse("evil.test")))
    response = client.submit(request(f"http://evil.test:{server.port}/"))
    port = server.port
    assert (9003, f"connect(evil.test:{port}) failed: evil.test port {port} is not on the list") == outcome(response)
    assert ([], 0) == (names.asked, server.connection_count)


@pytest.mark.parametrize("host", ["rebound.test", "127.0.0.1"])
def test_refused_address_is_not_reached(server, make_client, host):
    client = make_client(Network(resolve=Names("127.0.0.1"), check_address=refuse("127.0.0.1")))
    response = client.submit(request(f"http://{host}:{server.port}/"))
    assert (9003, 0) == (response.status, server.connection_count)
    assert response.reason.startswith(f"connect(127.0.0.1:{server.port}) failed: ".encode())


def test_allowed_addresses_of_a_name_are_still_reached(server, make_client):
    client = make_client(Network(resolve=Names("127.0.0.2", "127.0.0.1"), check_address=refuse("127.0.0.2")))
    assert 200 == client.submit(request(f"http://two.test:{server.port}/")).status


def test_redirect_to_a_refused_address_is_not_followed(server, other_server, make_client):
    def check(_address, port, _host):
        if port == other_server.port:
            raise LualoftError("no")

    server.on("/", f"HTTP/1.1 302 Found\r\nLocation: {other_server.origin}/\r\nContent-Length: 0\r\n\r\n".encode())
    client = make_client(Network(check_address=check), request_max_redirects=1)
    assert 9003 == client.submit(request(server.origin + "/")).status
    assert 0 == other_server.connection_count


def test_redirect_to_a_name_that_leads_to_a_refused_address_is_not_followed(server, other_server, make_client):
    location = f"http://inside.test:{other_server.port}/"
    server.on("/", f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())
    names = Names("127.0.0.2")
    client = make_client(Network(resolve=names, check_address=refuse("127.0.0.2")), request_max_redirects=1)
    assert 9003 == client.submit(request(server.origin + "/")).status
    assert ["inside.test"] == [host for host, _ in names.asked]
    assert 0 == other_server.connection_count
