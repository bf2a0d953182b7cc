"""Connections: kept, shared, limited, closed; and their transcripts (reference §4.9)."""

import os
import re
import stat
import threading
import time

import pytest

from tests.integration.http.asking import request
from tests.integration.http.fault_server import OK, answer
from tests.ports import free_port
from tests.waiting import wait_until


def test_three_requests_use_one_connection(server, make_client):
    client = make_client()
    for _ in range(3):
        client.submit(request(server.origin + "/", "POST", payload=b"x"))
    assert (1, 3) == (server.connection_count, len(server.asked))


def test_second_client_has_connections_of_its_own(server, ask):
    ask(server.origin + "/")
    ask(server.origin + "/")
    assert 2 == server.connection_count


@pytest.mark.parametrize("field", ["Connection: close", "Connection: x, Close"])
def test_server_that_says_close_is_connected_to_again(server, make_client, field):
    server.on("/", answer("200 OK", field))
    client = make_client()
    for _ in range(2):
        assert 200 == client.submit(request(server.origin + "/")).status
    assert 2 == server.connection_count


def test_connection_that_the_server_closed_meanwhile_is_not_used(server, make_client):
    closed = threading.Event()
    server.on("/", lambda talk: (talk.send(OK), talk.sock.shutdown(2), talk.close(), closed.set()))
    client = make_client()
    for _ in range(3):
        closed.clear()
        response = client.submit(request(server.origin + "/"))
        assert (200, 1) == (response.status, response.stats.attempts)
        assert closed.wait(5)
    assert 3 == server.connection_count


def test_connection_on_which_an_idle_server_speaks_is_not_used(server, make_client):
    said = threading.Event()

    def script(talk):
        talk.send(OK)
        assert client_has_answer.wait(5)
        talk.send(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
        said.set()

    client_has_answer = threading.Event()
    server.on("/", script)
    client = make_client()
    client.submit(request(server.origin + "/"))
    client_has_answer.set()
    assert said.wait(5)
    server.on("/", OK)
    response = client.submit(request(server.origin + "/"))
    assert (200, b"ok") == (response.status, response.payload)
    assert 2 == server.connection_count


def test_connection_that_closes_under_the_request_counts_as_an_attempt(server, make_client):
    server.on("/", OK)
    server.on("/next", lambda talk: talk.close(), OK)
    client = make_client(request_max_attempts=2)
    client.submit(request(server.origin + "/"))
    response = client.submit(request(server.origin + "/next"))
    assert (200, 2) == (response.status, response.stats.attempts)
    assert response.reason.startswith(b"OK (1 retries in ")


def test_connection_that_closes_under_the_only_attempt_is_lost(server, make_client):
    server.on("/next", lambda talk: talk.close())
    client = make_client()
    client.submit(request(server.origin + "/"))
    assert 9005 == client.submit(request(server.origin + "/next")).status


def test_idle_connection_is_closed_after_its_time(server, make_client):
    client = make_client(max_idle_time_ms=1)
    for count in (1, 2):
        client.submit(request(server.origin + "/"))
        ended_s = time.monotonic()
        wait_until(lambda: time.monotonic() - ended_s > 0.002)  # noqa: B023
        assert count == server.connection_count


def test_idle_connection_without_a_limit_stays(server, make_client):
    client = make_client(max_idle_time_ms=0)
    client.submit(request(server.origin + "/"))
    client.submit(request(server.origin + "/"))
    assert 1 == server.connection_count


class Crowd:
    """Requests at the same time; the server answers none before it is told to."""

    def __init__(self, server, client, count):
        self.release = threading.Event()
        self.inside = 0
        self.most_inside = 0
        self.lock = threading.Lock()
        self.responses = []
        server.on("/", self.script)
        asked = request(server.origin + "/")
        self.threads = [
            threading.Thread(target=lambda: self.responses.append(client.submit(asked))) for _ in range(count)
        ]
        for thread in self.threads:
            thread.start()

    def script(self, talk):
        with self.lock:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        assert self.release.wait(10)
        with self.lock:
            self.inside -= 1
        talk.send(OK)

    def join(self):
        self.release.set()
        for thread in self.threads:
            thread.join(10)
        return [response.status for response in self.responses]


def test_unset_limit_lets_all_requests_go_at_once(server, make_client):
    crowd = Crowd(server, make_client(), 20)
    wait_until(lambda: crowd.inside == 20)
    assert [200] * 20 == crowd.join()


@pytest.mark.parametrize("limit", [1, 3])
def test_limit_of_parallel_connections_is_kept(server, make_client, limit):
    crowd = Crowd(server, make_client(max_parallel_connections=limit), 8)
    wait_until(lambda: crowd.inside == limit)
    assert [200] * 8 == crowd.join()
    assert (limit, limit) == (crowd.most_inside, server.connection_count)


def test_500_requests_wait_at_the_same_time(server, make_client):
    crowd = Crowd(server, make_client(), 500)
    wait_until(lambda: crowd.inside == 500, 30)
    assert [200] * 500 == crowd.join()


def test_limit_is_per_server(server, other_server, make_client):
    client = make_client(max_parallel_connections=1)
    crowd = Crowd(server, client, 1)
    wait_until(lambda: crowd.inside)
    assert 200 == client.submit(request(other_server.origin + "/")).status
    assert [200] == crowd.join()


def test_close_closes_idle_connections(server, make_client):
    ended = threading.Event()

    def script(talk):
        talk.send(OK)
        assert talk.sock.recv(1) == b""
        ended.set()

    server.on("/", script)
    client = make_client()
    client.submit(request(server.origin + "/"))
    client.close()
    assert ended.wait(5)


def test_retired_client_works_and_keeps_no_connection(server, make_client):
    client = make_client()
    client.submit(request(server.origin + "/"))
    client.retire()
    for _ in range(2):
        assert 200 == client.submit(request(server.origin + "/")).status
    assert 3 == server.connection_count


# Transcripts.


def test_rawlog_holds_both_directions_with_a_time_on_each_line(server, ask, tmp_path):
    server.on("/", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na\nb\nc")
    ask(server.origin + "/", rawlog_dir=str(tmp_path).encode(), user_agent=b"me")
    incoming, outgoing = sorted(tmp_path.iterdir())
    assert re.fullmatch(rf"\d{{8}}-\d{{6}}\.{os.getpid()}\.\d+\.in", incoming.name)
    assert incoming.name.removesuffix("in") == outgoing.name.removesuffix("out")
    assert [0o600, 0o600] == [stat.S_IMODE(path.stat().st_mode) for path in (incoming, outgoing)]
    stamp = rb"\d+\.\d{6} "
    expected = [b"HTTP/1.1 200 OK\r", b"Content-Length: 5\r", b"\r", b"a", b"b", b"c"]
    assert re.fullmatch(b"\n".join(stamp + re.escape(line) for line in expected), incoming.read_bytes())
    assert re.match(stamp + rb"GET / HTTP/1.1\r\n" + stamp + b"Host: ", outgoing.read_bytes())
    assert re.search(b"\n" + stamp + b"\r\n$", outgoing.read_bytes())


def test_rawlog_has_one_pair_for_each_connection(server, make_client, tmp_path):
    client = make_client(rawlog_dir=str(tmp_path).encode())
    for _ in range(3):
        client.submit(request(server.origin + "/"))
    assert 2 == len(list(tmp_path.iterdir()))


@pytest.mark.parametrize("folder", [b"/nonexistent", b"/proc/1/nowhere", b"a\0b", b"tcp:127.0.0.1:1"])
def test_rawlog_that_cannot_be_written_is_no_error(server, ask, folder):
    assert 200 == ask(server.origin + "/", rawlog_dir=folder).status


def test_rawlog_without_its_second_file_is_no_error(server, ask, tmp_path):
    ask(server.origin + "/", rawlog_dir=str(tmp_path).encode())
    name = min(tmp_path.iterdir()).name
    number = int(name.split(".")[-2])
    # The next name ends one byte before the longest path when it ends in ".in": ".out" is too long.
    longest = 4095
    name = name.replace(f".{number}.", f".{number + 1}.")
    padding = longest - len(f"{tmp_path}/{name}")
    folder = f"{tmp_path}{'/' * (padding % 2)}{'/.' * (padding // 2)}"
    assert 200 == ask(server.origin + "/", rawlog_dir=folder.encode()).status
    assert ["in", "in", "out"] == sorted(path.suffix[1:] for path in tmp_path.iterdir())


def test_rawlog_line_that_arrives_in_pieces_has_one_time(server, ask, tmp_path):
    def script(talk):
        talk.send(b"HTTP/1.1 200 OK\r\nContent-")
        wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob("*.in")))
        talk.send(b"Length: 0\r\n\r\n")

    server.on("/", script)
    ask(server.origin + "/", rawlog_dir=str(tmp_path).encode())
    [incoming] = tmp_path.glob("*.in")
    assert b"\r\n" in incoming.read_bytes()
    assert 3 == len(re.findall(rb"\d+\.\d{6} ", incoming.read_bytes()))


# Memory of peers.


def test_connection_that_a_server_closed_is_dropped_when_another_one_is_asked(server, other_server, make_client):
    closed = threading.Event()
    server.on("/", lambda talk: (talk.send(OK), talk.sock.shutdown(2), talk.close(), closed.set()))
    client = make_client()
    client.submit(request(server.origin + "/"))
    assert closed.wait(5)
    client.submit(request(other_server.origin + "/"))
    assert [0, 1] == [len(pool._idle) for pool in client._engine.adapter._pools.values()]


def test_client_forgets_the_peer_that_was_not_used_for_longest(make_client):
    client = make_client()
    adapter = client._engine.adapter
    for number in range(300):
        client.submit(request(f"http://127.0.0.1:{free_port()}/{number}"))
    assert len(adapter._pools) <= 256
