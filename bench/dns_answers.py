"""`python -m bench.dns_answers`: a DNS server that answers at once, so that the asking side is what is measured.

Prints its port, then answers every A query with `ADDRESS` and every other one with no records, until it is killed.
"""

from __future__ import annotations

import socket
import sys
from typing import Final

#: What every name has.
ADDRESS: Final = "192.0.2.1"

_HEADER_BYTES: Final = 12
_TYPE_A: Final = 1
#: A pointer to the question's name, type A, class IN, a TTL of 300 s, four bytes of address.
_RECORD: Final = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04" + socket.inet_aton(ADDRESS)
_RECEIVE_BYTES: Final = 8 * 1024 * 1024


def answer(query: bytes) -> bytes:
    """Return the answer to a query of one question."""
    is_a = int.from_bytes(query[-4:-2]) == _TYPE_A
    counts = b"\x00\x01" + (b"\x00\x01" if is_a else b"\x00\x00") + b"\x00\x00\x00\x00"
    return query[:2] + b"\x81\x80" + counts + query[_HEADER_BYTES:] + (_RECORD if is_a else b"")


def main() -> None:
    """Serve."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        server.bind(("127.0.0.1", 0))
        sys.stdout.write(f"{server.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            query, client = server.recvfrom(512)
            server.sendto(answer(query), client)


if __name__ == "__main__":
    main()
