"""Cancelling, and the system's resolver."""

import pytest

from workers.http.network import Cancel, HostLookupError, system_resolve


def test_callbacks_are_called_once():
    called = []
    cancel = Cancel()
    cancel.add(lambda: called.append(1))
    cancel.cancel()
    cancel.cancel()
    assert [1] == called


def test_callback_of_a_cancelled_call_is_called_at_once():
    called = []
    cancel = Cancel()
    cancel.cancel()
    cancel.add(lambda: called.append(1))
    assert [1] == called


def test_discarded_callback_is_not_called():
    called = []

    def callback():
        called.append(1)

    cancel = Cancel()
    cancel.add(callback)
    cancel.discard(callback)
    cancel.discard(callback)
    cancel.cancel()
    cancel.discard(callback)
    assert [] == called


def test_system_resolves_localhost():
    assert "127.0.0.1" in system_resolve("localhost", 5.0)


@pytest.mark.parametrize("host", ["nowhere.invalid", "x" * 100, "a..b"])
def test_name_without_address_is_an_error_with_a_text(host):
    with pytest.raises(HostLookupError, match=r"\w"):
        system_resolve(host, 5.0)
