"""The peers of a client behind requests' adapter: the one place that imports requests.

An exchange rides through `HTTPAdapter.send` and the pool's `urlopen`. Session, redirects, retries, cookies and decoding
stay out of the way: `submission` decides what follows an answer, and objects per request cost time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final, cast

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from workers.http.exchange import Answer
from workers.http.network import Network
from workers.http.peer import Peer, PeerKey
from workers.http.pool import Pool, Reply, Ride
from workers.http.settings import ClientSettings

#: Peers that a client remembers; the one that was not used for longest is forgotten first.
MAX_PEERS: Final = 256

#: Ours are in the exchange; with this name among them requests leaves the body alone.
_NO_HEADERS: Final[CaseInsensitiveDict[str]] = CaseInsensitiveDict({"Content-Length": "0"})


class _Message(PreparedRequest):
    """An exchange in the shape that requests passes down; nothing of it is prepared, so nothing is normalised."""

    def __init__(self, pool: Pool, ride: Ride) -> None:
        super().__init__()
        self.pool = pool
        self.method = "GET"
        self.url = "http://peer/"
        self.headers = _NO_HEADERS
        self.body = cast("bytes", ride)


class _Arrival(Response):
    """An answer on its way up. Without Response's own set-up: its cookies and headers would be made for nobody."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


class Adapter(HTTPAdapter):
    """The peers of one client; any thread may call it."""

    def __init__(self, settings: ClientSettings, network: Network) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self._settings = settings
        self._network = network
        self._lock = threading.Lock()
        self._is_closed = False
        self._pools: OrderedDict[PeerKey, Pool] = OrderedDict()

    def pool(self, key: PeerKey) -> Pool:
        """The connections to a peer."""
        with self._lock:
            found = self._pools.get(key)
            if found is not None:
                self._pools.move_to_end(key)
                return found
            pool = self._pools[key] = Pool(Peer(key, self._settings), self._settings, self._network)
            forgotten = self._pools.popitem(last=False)[1] if len(self._pools) > MAX_PEERS else None
            is_closed = self._is_closed
            others = list(self._pools.values())
        # A client that visits many servers must not sit on the connections that they closed long ago.
        for other in others:
            other.close_unusable()
        if forgotten:
            forgotten.close()
        if is_closed:
            pool.close()
        return pool

    def ride(self, pool: Pool, ride: Ride) -> Answer:
        """Run an exchange on a connection of the pool.

        Raises:
            HttpFailure: it has no answer.
        """
        with pool.slots.taken(ride.exchange.interruption):
            arrived = self.send(_Message(pool, ride))
            assert isinstance(arrived, _Arrival)  # noqa: S101
            return arrived.reply.release()

    def close(self) -> None:
        """Close idle connections, and those in use when they come back."""
        with self._lock:
            self._is_closed = True
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()

    # What HTTPAdapter.send asks for.

    def get_connection_with_tls_context(self, request: object, *_args: object, **_kwargs: object) -> Pool:
        """The pool, which is known; TLS is the connection's own business."""
        assert isinstance(request, _Message)  # noqa: S101
        return request.pool

    def cert_verify(self, *_args: object, **_kwargs: object) -> None:
        """Nothing: see above."""

    def request_url(self, *_args: object, **_kwargs: object) -> str:
        """Anything that urllib3 need not touch: the real target stands in the exchange's head, byte for byte."""
        return "/"

    def build_response(self, _request: object, reply: object) -> Response:
        """The answer as it is."""
        assert isinstance(reply, Reply)  # noqa: S101
        return _Arrival(reply)
