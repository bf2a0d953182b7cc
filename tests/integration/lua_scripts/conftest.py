"""The shipped scripts in the pool that the integration tests share."""

import pytest

from tests.integration.lua_scripts.asking import Asked, asked


@pytest.fixture
def ask(settings, pool) -> Asked:  # noqa: ARG001 - the pool must run
    return asked(settings)
