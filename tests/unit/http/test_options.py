"""Options of a client: what one says, what they say together, and what is kept secret."""

from __future__ import annotations

from dataclasses import fields

import pytest

from workers.http import options_23, options_24
from workers.http.options_24 import OptionError
from workers.http.settings import ClientSettings


def options(**values):
    return [(name.encode(), b"string", value.encode("latin-1")) for name, value in values.items()]


def test_nothing_said_are_the_defaults_in_both_dialects():
    assert ClientSettings() == options_24.settings_of([]) == options_23.settings_of([])


#: What no option of 2.4 sets: TLS options fail late, `debug` is of 2.3.
NOT_OPTIONS = {"ssl_problem", "debug"}


def test_every_field_has_its_option_of_2_4():
    assert {one.name for one in fields(ClientSettings)} - NOT_OPTIONS == {
        field for field, _ in options_24.OPTIONS.values()
    }


def test_every_option_of_2_3_has_its_field():
    assert {field for field, _ in options_23.OPTIONS.values()} <= {one.name for one in fields(ClientSettings)}


def test_secrets_do_not_show():
    settings = options_24.settings_of(options(proxy_password="hush", ssl_client_key_password="hush"))
    assert "hush" not in repr(settings)


def test_secret_holds_the_bytes_of_the_script():
    settings = options_24.settings_of(options(proxy_password="p\xe4\xff"))
    assert b"p\xe4\xff" == settings.proxy_password.reveal().encode("latin-1")


@pytest.mark.parametrize("kind", [b"table", b"function", b"userdata", b"thread"])
def test_value_without_a_text_is_refused(kind):
    with pytest.raises(OptionError) as caught:
        options_24.settings_of([(b"user_agent", kind, b"")])
    assert f"Invalid HTTP client setting: user_agent=: string expected, got {kind.decode()}" == str(caught.value)


def test_first_wrong_tls_option_is_kept_for_the_first_https_request():
    settings = options_24.settings_of(options(ssl_client_require_valid_cert="cow"))
    expected = "ssl_client_require_valid_cert=cow: Invalid boolean value: cow (use yes or no)"
    assert (expected, True) == (settings.ssl_problem, settings.ssl_client_require_valid_cert)


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "-nan", "1e400", "x"])
def test_number_that_counts_nothing_is_refused_in_2_3(number):
    with pytest.raises(OptionError) as caught:
        options_23.settings_of([(b"max_attempts", b"number", number.encode())])
    assert str(caught.value) == "Invalid HTTP client setting: max_attempts: non-negative number expected"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(b"http://h/", (b"http://h/", b"", ""), id="plain"),
        pytest.param(b"https://h:8443/x?y", (b"https://h:8443/", b"", ""), id="TLS and path"),
        pytest.param(b"http://u:p%40@[::1]:3128", (b"http://[::1]:3128/", b"u", "p@"), id="credentials"),
        pytest.param(b"http://u@h/", (b"http://h/", b"u", ""), id="user only"),
    ],
)
def test_proxy_url_of_2_3_is_taken_apart(url, expected):
    settings = options_23.settings_of([(b"proxy_url", b"string", url)])
    assert expected == (settings.proxy_url, settings.proxy_username, settings.proxy_password.reveal())
