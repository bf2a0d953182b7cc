"""A real DNS server on loopback that answers, and misbehaves, as a test tells it: UDP and TCP on one port.

Names are looked up as they stand in `records`; what is not there is NXDOMAIN. `behaviours` replaces the
answer of a name: a function of (query, response, transport) that returns the datagrams to send.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Behaviour = Callable[[dns.message.Message, dns.message.Message, str], list[bytes]]

SOA = "ns.example.org. admin.example.org. 1 3600 600 86400 {minimum_s}"


@dataclass
class DnsServer:
    """What the server knows and has been asked."""

    port: int = 0
    #: (name, type) -> (TTL in seconds, values in zone file form)
    records: dict[tuple[str, str], tuple[int, list[str]]] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    #: TTL of NXDOMAIN and of empty answers; None: no SOA record says one.
    negative_ttl_s: int | None = None
    #: (name, type, udp or tcp) in the order of arrival.
    queries: list[tuple[str, str, str]] = field(default_factory=list)
    #: Ports that queries came from.
    client_ports: set[int] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add(self, name: str, kind: str, *values: str, ttl_s: int = 300) -> None:
        self.records[name, kind] = (ttl_s, list(values))

    def names_asked(self) -> list[str]:
        return [name for name, _, _ in self.queries]

    def answer(self, data: bytes, transport: str, client_port: int) -> list[bytes]:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        self.queries.append((name, kind, transport))
        self.client_ports.add(client_port)
        response = self._response(query, name.lower(), kind)
        behave = self.behaviours.get(name.lower())
        return behave(query, response, transport) if behave else [response.to_wire()]

    def _response(self, query: dns.message.Message, name: str, kind: str) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        while (name, "CNAME") in self.records and len(response.answer) < 40:
            ttl_s, (target,) = self.records[name, "CNAME"]
            response.answer.append(dns.rrset.from_text(name + ".", ttl_s, "IN", "CNAME", target))
            name = target.rstrip(".")
        if (name, kind) in self.records:
            ttl_s, values = self.records[name, kind]
            # One set for each value: dnspython would shuffle the values of a set.
            response.answer += [dns.rrset.from_text(name + ".", ttl_s, "IN", kind, value) for value in values]
            return response
        if not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        if self.negative_ttl_s is not None:
            soa = SOA.format(minimum_s=self.negative_ttl_s)
            response.authority.append(dns.rrset.from_text("example.org.", 86400, "IN", "SOA", soa))
        return response


def with_rcode(name: str) -> Behaviour:
    """Answer with an error code."""

    def behave(query: dns.message.Message, _response: dns.message.Message, _transport: str) -> list[bytes]:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.from_text(name))
        return [response.to_wire()]

    return behave


def silent(*_: object) -> list[bytes]:
    """Never answer."""
    return []


def truncated(_query: dns.message.Message, response: dns.message.Message, transport: str) -> list[bytes]:
    """Say over UDP that the answer is longer than it is."""
    if transport == "tcp":
        return [response.to_wire()]
    response.answer.clear()
    response.flags |= dns.flags.TC
    return [response.to_wire()]


class _Udp(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        for answer in self.server.owner.answer(data, "udp", self.client_address[1]):
            sock.sendto(answer, self.client_address)

    def finish(self) -> None:
        pass


class _Tcp(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        (size_bytes,) = struct.unpack("!H", self.rfile.read(2))
        for answer in self.server.owner.answer(self.rfile.read(size_bytes), "tcp", self.client_address[1]):
            self.wfile.write(struct.pack("!H", len(answer)) + answer)


class _UdpServer(socketserver.UDPServer):
    owner: Any

    def server_bind(self) -> None:
        # 500 lookups at once must not overflow it.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        super().server_bind()


class _TcpServer(socketserver.ThreadingTCPServer):
    owner: Any
    daemon_threads = True


class RunningDnsServer:
    """Context manager: serves from threads of its own until it ends."""

    def __init__(self) -> None:
        self.zone = DnsServer()

    def __enter__(self) -> DnsServer:
        self._servers = _bind_both()
        self.zone.port = self._servers[0].server_address[1]
        self._threads = [threading.Thread(target=one.serve_forever, args=(0.05,)) for one in self._servers]
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.owner = self.zone
            thread.start()
        return self.zone

    def __exit__(self, *_: object) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def _bind_both() -> list[socketserver.BaseServer]:
    """Find a port that is free for UDP and TCP; somebody else may have one of the two."""
    while True:
        udp = _UdpServer(("127.0.0.1", 0), _Udp)
        try:
            return [udp, _TcpServer(udp.server_address, _Tcp)]
        except OSError:
            udp.server_close()
