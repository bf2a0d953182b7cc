"""A real server, a real pool of two workers, and a dispatcher, shared by the tests that harm none of them."""

from collections.abc import Callable, Iterator

import pytest

from dispatcher.blocking import Dispatcher
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import EngineSettings, PoolSettings, RedisSettings, Settings
from tests.access import as_role, define_users, denials


@pytest.fixture(scope="session")
def settings(redis_url) -> Settings:
    return Settings(
        key=Secret(generate_key()),
        redis=RedisSettings(url=Secret(redis_url)),
        pool=PoolSettings(workers=2, grace_s=5.0),
    )


@pytest.fixture(scope="session")
def roles(settings) -> Iterator[Callable[[str], Settings]]:
    """Return settings with the address of a role of config/redis/users.acl; whatever it lacks fails the run."""
    with connect_sync(settings.redis) as redis:
        define_users(redis)
    yield lambda role: as_role(settings, role)
    assert [] == denials(settings)


@pytest.fixture(scope="session")
def pool(roles) -> Iterator[LocalPool]:
    with LocalPool(roles("worker")) as pool:
        yield pool


@pytest.fixture(scope="session")
def dispatcher(roles, pool) -> Iterator[Dispatcher]:  # noqa: ARG001 - the pool must run
    with Dispatcher(roles("dispatcher")) as dispatcher:
        yield dispatcher


@pytest.fixture
def own() -> Iterator[Settings]:
    """Settings for a server and a pool that the test may harm; one worker, so that calls meet."""
    with EmbeddedServer() as server:
        yield Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=1, grace_s=5.0),
            # Some of its calls compute until the test has seen enough.
            engine=EngineSettings(max_cpu_s=60.0),
        )
