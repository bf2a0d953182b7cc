"""The HTTP clients of one worker by id, and the networks of scripts that may not go everywhere.

`natives` opens and closes clients on the engine's thread, `operation` sends requests through them on threads of the
operation runner. A client that was closed meanwhile answers with status 9000.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Protocol

from workers.http.failure import ABORTED, CONNECT_FAILED
from workers.http.message import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.http.network import Cancellation, Network
    from workers.http.settings import ClientSettings


class Client(Protocol):
    """What the registry needs of workers.http.client.HttpClient."""

    def submit(self, request: Request, deadline_s: float | None, cancel: Cancellation) -> Response:
        """Send a request and wait for its end; never raises for what goes wrong on the way."""

    def close(self) -> None:
        """Drop connections and pending requests; must not block."""


class ClientRegistry:
    """The clients of all instances of a worker. Any thread may call it."""

    def __init__(self, make: Callable[[ClientSettings, Network], Client]) -> None:
        """Set up empty.

        Args:
            make: makes a client; must not block.
        """
        self._make = make
        self._ids = itertools.count(1)
        #: Changed by single dict operations only, which need no lock.
        self._clients: dict[int, tuple[Client, ClientSettings]] = {}
        self._networks: dict[int, Network] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def open(self, settings: ClientSettings, network: Network) -> int:
        """Make a client that goes where the network lets it; returns its id."""
        client_id = next(self._ids)
        self._clients[client_id] = (self._make(settings, network), settings)
        return client_id

    def close(self, client_id: int) -> None:
        """Close a client; one that is closed already is no error."""
        entry = self._clients.pop(client_id, None)
        if entry is not None:
            entry[0].close()

    def add_network(self, network: Network) -> int:
        """Keep where an instance's requests may go; returns its id."""
        network_id = next(self._ids)
        self._networks[network_id] = network
        return network_id

    def remove_network(self, network_id: int) -> None:
        """Forget a network; one that is gone already is no error."""
        self._networks.pop(network_id, None)

    def network(self, network_id: int) -> Network | None:
        """Return a network; None: its instance is gone."""
        return self._networks.get(network_id)

    def submit(self, client_id: int, request: Request, cancel: Cancellation) -> Response:
        """Send a request through a client and wait for its end."""
        entry = self._clients.get(client_id)
        if entry is None:
            return Response(status=ABORTED, reason=b"Aborted", url=request.url)
        client, settings = entry
        if request.url.is_tls and settings.ssl_problem:
            reason = f"Couldn't initialize SSL client context: {settings.ssl_problem}"
            return Response(status=CONNECT_FAILED, reason=reason.encode("latin-1"), url=request.url)
        # No deadline beside the client's own time-outs: the call's deadline comes as a cancellation.
        return client.submit(request, None, cancel)
