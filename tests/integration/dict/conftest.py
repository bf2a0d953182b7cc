"""The dicts of `stores`, as fixtures."""

import pytest

from tests.integration.dict.stores import KINDS, run


@pytest.fixture(params=KINDS, ids=str)
def in_dict(request, redis_url):
    """Run an asynchronous function with a store of each kind; options go to the dict."""

    def run_test(test, **options):
        return run(request.param, redis_url, test, **options)

    run_test.kind = request.param
    return run_test
