"""Lookups against a real DNS server on loopback. Codes and words are those of glibc's getaddrinfo, asked the same."""

import re
import socket
import threading

import pytest

from tests.dns_server import silent, truncated, with_rcode
from tests.ports import free_port
from tests.waiting import wait_until
from workers.dns.error import ResolveError

NONAME = (-2, "Name or service not known")
AGAIN = (-3, "Temporary failure in name resolution")
NODATA = (-5, "No address associated with hostname")
TIMED_OUT = re.compile(r"Lookup timed out in \d+\.\d{3} secs\Z")


def assert_timed_out(result):
    code, text = result
    assert -4 == code
    assert TIMED_OUT.match(text), text


def test_addresses_come_in_the_order_of_the_server(server, resolver, look_up):
    server.add("many.example", "A", "192.0.2.3", "192.0.2.1", "192.0.2.2")
    assert ["192.0.2.3", "192.0.2.1", "192.0.2.2"] == look_up(resolver, b"many.example")


@pytest.mark.parametrize(
    ("is_routed", "expected"),
    [
        pytest.param(True, ["2001:db8::1", "192.0.2.1"], id="IPv6 first where it can be used"),
        pytest.param(False, ["192.0.2.1", "2001:db8::1"], id="IPv4 first where it cannot"),
    ],
)
def test_both_families_come(server, make_resolver, look_up, is_routed, expected):
    server.add("both.example", "A", "192.0.2.1")
    server.add("both.example", "AAAA", "2001:db8::1")
    assert expected == look_up(make_resolver(has_route=lambda _ip: is_routed), b"both.example")


def test_name_with_ipv6_only(server, resolver, look_up):
    server.add("six.example", "AAAA", "2001:db8::1")
    assert ["2001:db8::1"] == look_up(resolver, b"six.example")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        (b"192.0.2.7", "192.0.2.7"),
        (b"2001:db8::7", "2001:db8::7"),
        (b"[2001:db8::7]", "2001:db8::7"),
        (b"127.1", "127.0.0.1"),
        (b"0x7f.1", "127.0.0.1"),
    ],
)
def test_address_is_returned_without_a_query(server, resolver, look_up, host, address):
    assert [address] == look_up(resolver, host)
    assert [] == server.queries


def test_empty_name_is_refused(server, resolver, look_up):
    assert (-4, "Empty hostname") == look_up(resolver, b"")
    assert [] == server.queries


@pytest.mark.parametrize(
    "host",
    [b".", b"a..example", b".example", b"a" * 64 + b".example", b".".join([b"a" * 60] * 5), b"a" * 100_000],
    ids=["dot", "empty label", "leading dot", "long label", "long name", "100 kB"],
)
def test_name_that_no_query_can_hold_is_unknown_without_one(server, resolver, look_up, host):
    assert NONAME == look_up(resolver, host)
    assert [] == server.queries


@pytest.mark.parametrize("size", [1, 62, 63])
def test_label_may_have_63_bytes(server, resolver, look_up, size):
    server.add("a" * size + ".example", "A", "192.0.2.1")
    assert ["192.0.2.1"] == look_up(resolver, b"a" * size + b".example")


def test_unknown_name(resolver, look_up):
    assert NONAME == look_up(resolver, b"nobody.example")


def test_name_without_addresses(server, resolver, look_up):
    server.add("mail.example", "MX", "10 mx.example.")
    assert NODATA == look_up(resolver, b"mail.example")


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"])
def test_server_that_cannot_say_is_a_failure_of_the_moment(server, resolver, look_up, rcode):
    server.behaviours["x.example"] = with_rcode(rcode)
    assert AGAIN == look_up(resolver, b"x.example")


def test_error_without_the_question_counts_at_once(server, resolver, look_up):
    def refuse(query, _response, _transport):
        return [query.to_wire()[:2] + b"\x80\x05" + bytes(8)]

    server.behaviours["x.example"] = refuse
    assert AGAIN == look_up(resolver, b"x.example")


def test_one_family_is_enough(server, resolver, look_up):
    server.add("half.example", "A", "192.0.2.1")
    fail = with_rcode("SERVFAIL")
    server.behaviours["half.example"] = lambda query, response, transport: (
        [response.to_wire()] if query.question[0].rdtype == 1 else fail(query, response, transport)
    )
    assert ["192.0.2.1"] == look_up(resolver, b"half.example")


def test_family_that_never_comes_is_not_waited_for_to_the_end(server, resolver, look_up):
    server.add("half.example", "A", "192.0.2.1")
    server.behaviours["half.example"] = lambda query, response, _transport: (
        [response.to_wire()] if query.question[0].rdtype == 1 else []
    )
    assert ["192.0.2.1"] == look_up(resolver, b"half.example")


def test_server_that_never_answers_is_a_time_out(server, make_resolver, look_up):
    server.behaviours["silent.example"] = silent
    assert_timed_out(look_up(make_resolver(timeout_s=0.2), b"silent.example"))


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_each_attempt_asks_again(server, make_resolver, look_up, attempts):
    server.behaviours["silent.example"] = silent
    look_up(make_resolver(timeout_s=0.3, attempts=attempts), b"silent.example")
    assert 2 * attempts == len(server.queries)


def test_lost_answer_is_asked_for_again(server, make_resolver, look_up):
    server.add("lossy.example", "A", "192.0.2.1")
    server.behaviours["lossy.example"] = lambda _query, response, _transport: (
        [response.to_wire()] if len(server.queries) > 2 else []
    )
    assert ["192.0.2.1"] == look_up(make_resolver(timeout_s=1), b"lossy.example")


def test_port_where_nobody_listens_is_a_failure_of_the_moment(make_resolver, look_up_all):
    # Several at once: the system reports a refusal once for each socket, perhaps to another query than the refused one.
    # Not many: it sends 50 of these messages at a time, then fewer.
    resolver = make_resolver(servers=[f"127.0.0.1:{free_port()}"], attempts=1)
    errors = look_up_all(resolver, [b"n%d.example" % n for n in range(16)])
    assert [AGAIN] * 16 == [(error.code, error.text) for error in errors]


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED"])
def test_second_server_is_asked_when_the_first_cannot_say(server, make_resolver, look_up, rcode):
    server.add("x.example", "A", "192.0.2.1")
    server.behaviours["x.example"] = lambda query, response, transport: (
        with_rcode(rcode)(query, response, transport) if len(server.queries) <= 2 else [response.to_wire()]
    )
    assert ["192.0.2.1"] == look_up(make_resolver(servers=[server.address] * 2), b"x.example")


def test_dead_server_is_asked_last_for_a_while(server, make_resolver, look_up):
    server.add("x.example", "A", "192.0.2.1")
    server.add("y.example", "A", "192.0.2.2")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.1", 0))
        dead.settimeout(0)
        address = f"127.0.0.1:{dead.getsockname()[1]}"
        resolver = make_resolver(servers=[address, server.address], timeout_s=0.8)
        assert ["192.0.2.1"] == look_up(resolver, b"x.example")
        while True:
            try:
                dead.recv(512)
            except BlockingIOError:
                break
        assert ["192.0.2.2"] == look_up(resolver, b"y.example")
        with pytest.raises(BlockingIOError):
            dead.recv(512)


def test_truncated_answer_is_fetched_over_tcp(server, resolver, look_up):
    addresses = [f"192.0.2.{n}" for n in range(1, 101)]
    server.add("large.example", "A", *addresses)
    server.behaviours["large.example"] = truncated
    assert addresses == look_up(resolver, b"large.example")
    assert ("large.example", "A", "tcp") in server.queries


def test_truncated_answer_whose_tcp_breaks_off_is_a_failure(server, resolver, look_up):
    server.behaviours["cut.example"] = lambda query, response, transport: (
        [] if transport == "tcp" else truncated(query, response, transport)
    )
    assert AGAIN == look_up(resolver, b"cut.example")


def test_cname_records_are_followed(server, resolver, look_up):
    server.add("www.example", "CNAME", "web.example.")
    server.add("web.example", "CNAME", "host.example.")
    server.add("host.example", "A", "192.0.2.1")
    assert ["192.0.2.1"] == look_up(resolver, b"www.example")


def test_cname_that_leads_nowhere_has_no_address(server, resolver, look_up):
    server.add("www.example", "CNAME", "gone.example.")
    assert NONAME == look_up(resolver, b"www.example")


def test_cname_loop_ends(server, resolver, look_up):
    server.add("loop.example", "CNAME", "loop.example.")
    assert AGAIN == look_up(resolver, b"loop.example")


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(lambda _query: b"", id="nothing"),
        pytest.param(lambda _query: b"\x00", id="one byte"),
        pytest.param(lambda query: query.to_wire()[:11], id="half a header"),
        pytest.param(lambda query: query.to_wire(), id="the query itself"),
        pytest.param(lambda _query: b"\xff" * 300, id="noise"),
    ],
)
def test_garbage_before_the_answer_is_ignored(server, resolver, look_up, garbage):
    server.add("x.example", "A", "192.0.2.1")
    server.behaviours["x.example"] = lambda query, response, _transport: [garbage(query), response.to_wire()]
    assert ["192.0.2.1"] == look_up(resolver, b"x.example")


def test_answer_that_does_not_parse_is_a_failure(server, resolver, look_up):
    # The right header and question, then a record that is cut off.
    server.add("x.example", "A", "192.0.2.1")
    server.add("x.example", "AAAA", "2001:db8::1")
    server.behaviours["x.example"] = lambda _query, response, _transport: [response.to_wire()[:-3]]
    assert AGAIN == look_up(resolver, b"x.example")


def test_answer_with_another_id_or_question_is_no_answer(server, make_resolver, look_up):
    def forge(_query, response, _transport):
        data = response.to_wire()
        other_id = bytes([data[0] ^ 0xFF]) + data[1:]
        return [other_id, data.replace(b"bank", b"evil")]

    server.add("bank.example", "A", "192.0.2.66")
    server.behaviours["bank.example"] = forge
    assert_timed_out(look_up(make_resolver(timeout_s=0.2), b"bank.example"))


def test_queries_come_from_several_ports(server, resolver, look_up_all):
    look_up_all(resolver, [b"n%d.example" % n for n in range(50)])
    assert len(server.client_ports) > 4


def test_name_in_any_case_is_one_name(server, resolver, look_up):
    server.add("x.example", "A", "192.0.2.1")
    assert ["192.0.2.1"] == look_up(resolver, b"X.eXample")


@pytest.mark.parametrize(
    "host", [b"x y.example", b"x\tIP.example", b"x\n.example", b"\xc3\xa4.example", b"a\x00b.example"]
)
def test_strange_bytes_are_only_bytes_of_a_name(server, resolver, look_up, host):
    assert NONAME == look_up(resolver, host)
    assert 2 == len(server.queries)


def test_identical_lookups_at_once_ask_once(server, resolver, look_up_all):
    server.add("x.example", "A", "192.0.2.1")
    assert [["192.0.2.1"]] * 100 == look_up_all(resolver, [b"x.example"] * 100)
    assert 2 == len(server.queries)


def test_500_names_at_once_all_come(server, resolver, look_up_all):
    for n in range(500):
        server.add(f"n{n}.example", "A", f"10.0.{n // 250}.{n % 250}")
    expected = [[f"10.0.{n // 250}.{n % 250}"] for n in range(500)]
    assert expected == look_up_all(resolver, [b"n%d.example" % n for n in range(500)])


def test_without_a_cache_each_lookup_asks(server, resolver, look_up):
    server.add("x.example", "A", "192.0.2.1")
    look_up(resolver, b"x.example")
    look_up(resolver, b"x.example")
    assert 4 == len(server.queries)


@pytest.mark.parametrize(
    ("host", "expected"), [(b"x.example", ["192.0.2.1"]), (b"unknown.example", NONAME), (b"empty.example", NODATA)]
)
def test_cache_answers_the_second_time(server, make_resolver, look_up, host, expected):
    server.negative_ttl_s = 60
    server.add("x.example", "A", "192.0.2.1")
    server.add("empty.example", "MX", "10 mx.example.")
    resolver = make_resolver(cache_entries=10)
    assert [expected, expected] == [look_up(resolver, host), look_up(resolver, host.upper())]
    assert 2 == len(server.queries)


@pytest.mark.parametrize(
    ("ttl_s", "negative_ttl_s", "host"),
    [
        pytest.param(0, 60, b"x.example", id="TTL 0"),
        pytest.param(60, None, b"unknown.example", id="no SOA record"),
        pytest.param(60, 60, b"failing.example", id="failure"),
    ],
)
def test_cache_keeps_nothing_that_does_not_hold(server, make_resolver, look_up, ttl_s, negative_ttl_s, host):
    server.negative_ttl_s = negative_ttl_s
    server.add("x.example", "A", "192.0.2.1", ttl_s=ttl_s)
    server.behaviours["failing.example"] = with_rcode("SERVFAIL")
    resolver = make_resolver(cache_entries=10, attempts=1)
    look_up(resolver, host)
    look_up(resolver, host)
    assert 4 == len(server.queries)


@pytest.mark.parametrize(
    ("host", "ndots", "asked"),
    [
        (b"imap", 1, ["imap.a.example", "imap.b.example", "imap"]),
        (b"imap.c", 1, ["imap.c", "imap.c.a.example", "imap.c.b.example"]),
        (b"imap.c", 2, ["imap.c.a.example", "imap.c.b.example", "imap.c"]),
        (b"imap", 0, ["imap", "imap.a.example", "imap.b.example"]),
        (b"imap.", 1, ["imap"]),
    ],
)
def test_search_domains_are_tried_in_order(server, make_resolver, look_up, host, ndots, asked):
    resolver = make_resolver(search=["a.example", "b.example"], ndots=ndots)
    assert NONAME == look_up(resolver, host)
    assert asked == server.names_asked()[::2]


def test_first_search_domain_with_addresses_counts(server, make_resolver, look_up):
    server.add("imap.b.example", "A", "192.0.2.1")
    resolver = make_resolver(search=["a.example", "b.example", "c.example"])
    assert ["192.0.2.1"] == look_up(resolver, b"imap")
    assert "imap.c.example" not in server.names_asked()


def test_failing_search_domain_is_remembered(server, make_resolver, look_up):
    server.behaviours["imap.a.example"] = with_rcode("SERVFAIL")
    assert AGAIN == look_up(make_resolver(search=["a.example"]), b"imap")


def test_hosts_file_comes_first(server, resolver, look_up, files):
    server.add("x.example", "A", "192.0.2.1")
    files.hosts.write_text("10.0.0.1  x.example X\n10.0.0.2 x.example # twice\n::1 x.example\n")
    assert ["::1", "10.0.0.1", "10.0.0.2"] == look_up(resolver, b"X.example")
    assert ["10.0.0.1"] == look_up(resolver, b"x")
    assert [] == server.queries


class TestAddresses:
    """The entry for threads that block."""

    def test_gives_addresses(self, server, resolver):
        server.add("x.example", "A", "192.0.2.1")
        assert ["192.0.2.1"] == resolver.addresses("x.example", 5)

    def test_literal_needs_no_loop(self, resolver, loop):
        assert ["127.0.0.1"] == resolver.addresses("127.0.0.1", 5)
        assert not loop.is_running

    def test_raises_code_and_text(self, resolver):
        with pytest.raises(ResolveError) as caught:
            resolver.addresses("nobody.example", 5)
        assert NONAME == (caught.value.code, caught.value.text)

    def test_ends_at_the_limit_of_the_caller(self, server, resolver):
        server.behaviours["silent.example"] = silent
        with pytest.raises(ResolveError) as caught:
            resolver.addresses("silent.example", 0.05)
        assert_timed_out((caught.value.code, caught.value.text))

    def test_caller_that_gives_up_takes_nobody_with_it(self, server, resolver):
        gate = threading.Event()
        server.add("slow.example", "A", "192.0.2.1")
        server.behaviours["slow.example"] = lambda _query, response, _transport: (
            [response.to_wire()] if gate.wait(10) else []
        )
        found = []
        thread = threading.Thread(target=lambda: found.append(resolver.addresses("slow.example", 10)))
        thread.start()
        wait_until(lambda: server.queries)
        with pytest.raises(ResolveError):
            resolver.addresses("slow.example", 0.05)
        gate.set()
        thread.join(10)
        assert [["192.0.2.1"]] == found
        assert 2 == len(server.queries)

    def test_non_ascii_name_is_looked_up_as_its_bytes(self, resolver):
        with pytest.raises(ResolveError, match="Name or service not known"):
            resolver.addresses("\u00e4.example", 5)
