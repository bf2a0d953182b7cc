"""Servers that the tests of this folder share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.conformance.modules.servers import Server, certificate, http_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class TlsServer:
    server: Server
    authority: Path


@pytest.fixture
def server() -> Iterator[Server]:
    with http_server() as running:
        yield running


@pytest.fixture
def other_server() -> Iterator[Server]:
    with http_server() as running:
        yield running


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[TlsServer]:
    context, authority = certificate(tmp_path)
    with http_server(context) as running:
        yield TlsServer(running, authority)
