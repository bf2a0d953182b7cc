"""Passwords that Dovecot refuses without looking at them."""

import pytest

from dispatcher.auth import has_illegal_characters


@pytest.mark.parametrize("password", ["a\tb", "\n", b"\r", b"a\x01", "a\t\0b"])
def test_password_that_means_something_to_dovecots_protocols_is_illegal(password):
    assert has_illegal_characters(password)


@pytest.mark.parametrize(
    "password", ["", "secret", "a b", "\x02", "\x7f", "'\"", b"\xff\xfe", "\u00e4", "a\0\tb", "x" * 65536]
)
def test_any_other_password_is_looked_at(password):
    assert not has_illegal_characters(password)
