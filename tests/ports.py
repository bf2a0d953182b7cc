"""TCP and UDP ports that stay free until the test takes them, however many tests run beside it.

The system hands out ports of its own range to everybody who binds port 0 or connects. So one that a test got there and
gave back may be somebody else's a moment later.
"""

import random
import socket
from typing import Final

#: Below the range from which Linux hands out ports (ip_local_port_range, from 32,768 on), and so far below it that this
#: holds for a port plus 10,000 too, which is where the servers of a Redis cluster talk to each other.
FIRST: Final = 12_000
LAST: Final = 22_000


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    while True:
        # By chance, so that two processes do not meet.
        port = random.randint(FIRST, LAST)
        if all(_is_free(one) for one in (port, port + 10_000)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        try:
            stream.bind(("127.0.0.1", port))
            datagram.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
