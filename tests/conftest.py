"""What every level of tests shares.

- `redis_url`: address of a private Valkey, one for the whole run; never somebody's own Redis.
- `tests.waiting.wait_until(condition, limit_s)`: instead of pauses.
- `tests.debian.require_program("postconf", package="postfix")`: first line of a test or fixture that needs a program
  from a Debian package. Missing, it skips locally with the reason and fails when CI=true.
"""

from collections.abc import Iterator

import pytest

from dispatcher.embedded import EmbeddedServer


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with EmbeddedServer() as server:
        yield server.url
