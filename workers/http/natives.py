"""What dovecot.http is made of: the natives of one instance, in its script's dialect.

`workers.natives` hands them to the Lua files of workers/api. They take and return plain values, never raise, and lead
nowhere but to the clients of their own instance, which are closed with it: when the Lua state lets go of them, they go.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from workers.http import options_23, options_24
from workers.http.network import Network
from workers.http.operation import MAX_PAYLOAD_BYTES
from workers.http.options_24 import OptionError
from workers.http.url import UrlError, parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.http.registry import ClientRegistry

#: Clients that an instance may have before unused ones are looked for. Lua's collector sees a client as a small table;
#: the connections behind it would use up the process's files long before it runs by itself.
MANY_CLIENTS: Final = 64

#: What Lua can hold as a native: a function of plain values, a flag, a number, a text.
Native = Callable[..., object] | bool | int | bytes


def http_natives(registry: ClientRegistry, dialect: str, network: Network | None = None) -> dict[str, Native]:
    """Make the natives of an instance: `http_open`, `http_close`, `http_option`, `http_url`, and constants.

    `http_network` is the id under which socket.http finds the network; 0: anywhere.

    Args:
        registry: the worker's clients.
        dialect: the script's.
        network: where its requests may go; None: anywhere, with the system's resolver.
    """
    clients = InstanceClients(registry, network or Network(), is_23=dialect == "2.3")
    return {
        "http_is_23": dialect == "2.3",
        "http_option_names": ",".join(options_23.OPTIONS).encode(),
        "http_max_payload_bytes": MAX_PAYLOAD_BYTES,
        "http_option": clients.option,
        "http_open": clients.open,
        "http_close": clients.close,
        "http_is_crowded": clients.is_crowded,
        "http_collected": clients.collected,
        "http_network": clients.network_id,
        "http_url": clients.url,
    }


class InstanceClients:
    """The clients that one instance has opened."""

    def __init__(self, registry: ClientRegistry, network: Network, *, is_23: bool) -> None:
        self._registry = registry
        self._network = network
        self._is_23 = is_23
        self.network_id = registry.add_network(network) if network.is_restricted else 0
        self._ids: set[int] = set()
        self._crowd_count = MANY_CLIENTS
        # A script whose state goes without its finalisers having run leaves nothing open.
        weakref.finalize(self, _close_all, registry, self._ids, self.network_id).atexit = False

    def option(self, key: bytes, kind: bytes, text: bytes) -> bytes | None:
        """Say why an option cannot be used; None if it can.

        Args:
            key: its name; in dialect 2.3 one of `options_23.OPTIONS`.
            kind: Lua's type of its value.
            text: a string or number as Lua shows it, `true` or `false`; anything for another type.
        """
        try:
            if self._is_23:
                options_23.read_option(key, kind, text)
            else:
                options_24.read_option(key, kind, text)
        except OptionError as exc:
            return str(exc).encode("latin-1")
        return None

    def open(self, packed: bytes) -> tuple[int, bool] | tuple[None, bytes]:
        """Open a client: (id, does it log its debug lines?), or why not.

        Args:
            packed: key, kind, text, …, each followed by a NUL.
        """
        settings_of = options_23.settings_of if self._is_23 else options_24.settings_of
        try:
            settings = settings_of(_triples(packed))
        except OptionError as exc:
            return None, str(exc).encode("latin-1")
        client_id = self._registry.open(settings, self._network)
        self._ids.add(client_id)
        return client_id, settings.debug

    def close(self, client_id: int) -> None:
        """Close a client of this instance; any other id does nothing."""
        if client_id in self._ids:
            self._ids.remove(client_id)
            self._registry.close(client_id)

    def is_crowded(self) -> bool:
        """Are there so many clients that those which nothing refers to should be collected first?"""
        return len(self._ids) >= self._crowd_count

    def collected(self) -> None:
        """Note that what is left is in use: look again when there are twice as many."""
        self._crowd_count = max(MANY_CLIENTS, 2 * len(self._ids))

    def url(self, text: bytes) -> tuple[bytes, bytes, bytes, int] | tuple[None, bytes]:
        """Take a URL apart: (origin, target, host, port), or why it is none."""
        try:
            url = parse_url(text)
        except UrlError as exc:
            return None, (exc.detail_23 if self._is_23 else exc.detail).encode("latin-1")
        return url.origin, url.target, url.host, url.port


def _triples(packed: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    parts = packed.split(b"\0")[:-1]
    return zip(parts[::3], parts[1::3], parts[2::3], strict=True)


def _close_all(registry: ClientRegistry, client_ids: set[int], network_id: int) -> None:
    registry.remove_network(network_id)
    for client_id in list(client_ids):
        registry.close(client_id)
