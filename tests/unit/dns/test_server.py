"""The sockets to one DNS server: ports that change, and what is still waited for when they do."""

import asyncio

import pytest

from workers.dns.message import A, name_bytes, question_bytes, read_answer
from workers.dns.server import SOCKETS, DnsServer

QUESTION = question_bytes(name_bytes(b"x.example"), A)
LIMIT_S = 10


async def ask_and_close(server, count, *, at_once):
    try:
        if at_once:
            answers = await asyncio.gather(*[server.ask(QUESTION, LIMIT_S) for _ in range(count)])
        else:
            answers = [await server.ask(QUESTION, LIMIT_S) for _ in range(count)]
        return {read_answer(answer, QUESTION).addresses for answer in answers}
    finally:
        server.close()


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one after the other"])
@pytest.mark.parametrize(("max_queries", "least_ports"), [(1, 2 * SOCKETS), (1000, 2)])
def test_worn_sockets_are_replaced_and_lose_nothing(server, max_queries, least_ports, at_once):
    server.add("x.example", "A", "192.0.2.1")
    asked = DnsServer("127.0.0.1", server.port, max_queries)
    assert {("192.0.2.1",)} == asyncio.run(ask_and_close(asked, 4 * SOCKETS, at_once=at_once))
    assert least_ports <= len(server.client_ports)
    assert max_queries == 1 or len(server.client_ports) <= SOCKETS


def test_server_that_cannot_be_sent_to_is_an_error_and_suspect():
    # The system refuses to send to everybody.
    unreachable = DnsServer("255.255.255.255", 53)
    with pytest.raises(OSError, match=r"Permission denied|unreachable"):
        asyncio.run(ask_and_close(unreachable, 1, at_once=False))
    assert unreachable.is_suspect


def test_answering_server_is_not_suspect(server):
    asked = DnsServer("127.0.0.1", server.port)
    asyncio.run(ask_and_close(asked, 1, at_once=False))
    assert not asked.is_suspect
