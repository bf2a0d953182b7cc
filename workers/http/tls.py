"""The TLS settings of a client, made into a context when the first https request needs it.

Called by `client`. What cannot be used ends the request with 9003, as in Dovecot: a client with broken TLS settings
works for http. Settings that Python's ssl cannot do are refused, not ignored: they would have been a promise.
"""

from __future__ import annotations

import os
import ssl
from typing import Final

from workers.http.failure import CONNECT_FAILED, HttpFailure
from workers.http.settings import ClientSettings

_MINIMUM: Final = {
    b"ANY": ssl.TLSVersion.MINIMUM_SUPPORTED,
    b"TLSv1": ssl.TLSVersion.TLSv1,
    b"TLSv1.1": ssl.TLSVersion.TLSv1_1,
    b"TLSv1.2": ssl.TLSVersion.TLSv1_2,
    b"TLSv1.3": ssl.TLSVersion.TLSv1_3,
    b"LATEST": ssl.TLSVersion.TLSv1_3,
}
_OPTIONS: Final = {b"no_compression": ssl.OP_NO_COMPRESSION, b"no_ticket": ssl.OP_NO_TICKET, b"compression": 0, b"": 0}


def make_context(settings: ClientSettings) -> ssl.SSLContext:
    """Make the context.

    Raises:
        HttpFailure: 9003, with the setting and what is wrong with it.
    """
    # Not create_default_context: the trust store must not be loaded when a script names its own authorities.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    _protocol(context, settings)
    _ciphers(context, settings)
    if settings.ssl_client_require_valid_cert:
        _authorities(context, settings)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _certificate(context, settings)
    return context


def _protocol(context: ssl.SSLContext, settings: ClientSettings) -> None:
    if settings.ssl_min_protocol not in _MINIMUM:
        shown = _shown(settings.ssl_min_protocol)
        raise _failure(f"Can't set minimum protocol to '{shown}' (ssl_min_protocol setting)", "Unknown value")
    context.minimum_version = _MINIMUM[settings.ssl_min_protocol]
    for option in settings.ssl_options.split():
        if option not in _OPTIONS:
            raise _failure("ssl_options", f"Unknown value '{_shown(option)}'")
        context.options |= _OPTIONS[option]


def _ciphers(context: ssl.SSLContext, settings: ClientSettings) -> None:
    for name in ("ssl_cipher_suites", "ssl_curve_list", "ssl_crypto_device"):
        if getattr(settings, name):
            raise _failure(name, "not supported here")
    if settings.ssl_cipher_list:
        try:
            context.set_ciphers(_shown(settings.ssl_cipher_list))
        except (ssl.SSLError, ValueError) as exc:
            raise _failure("ssl_cipher_list", "no usable cipher in it") from exc


def _authorities(context: ssl.SSLContext, settings: ClientSettings) -> None:
    file, folder = os.fsdecode(settings.ssl_client_ca_file), os.fsdecode(settings.ssl_client_ca_dir)
    if not file and not folder:
        # The operator's trust store, so that an authority installed there counts.
        context.load_default_certs()
        return
    if folder and not os.path.isdir(folder):  # noqa: PTH112 - OpenSSL takes a missing folder without a word
        raise _failure("ssl_client_ca_dir", f"{folder}: No such directory")
    try:
        context.load_verify_locations(file or None, folder or None)
    except (OSError, ValueError) as exc:
        raise _failure("ssl_client_ca_file", f"{file}: {_reason(exc)}") from exc


def _certificate(context: ssl.SSLContext, settings: ClientSettings) -> None:
    if not settings.ssl_client_cert_file:
        return
    # A text and never None: OpenSSL would ask for a missing password on the worker's terminal.
    password = settings.ssl_client_key_password.reveal()
    file, key_file = os.fsdecode(settings.ssl_client_cert_file), os.fsdecode(settings.ssl_client_key_file)
    try:
        context.load_cert_chain(file, key_file or None, password)
    except (OSError, ValueError) as exc:
        raise _failure("ssl_client_cert_file", f"{file}: {_reason(exc)}") from exc


def _reason(exc: Exception) -> str:
    if isinstance(exc, ssl.SSLError):
        return (exc.reason or "cannot be read").replace("_", " ").lower()
    return (isinstance(exc, OSError) and exc.strerror) or "cannot be used"


def _failure(what: str, problem: str) -> HttpFailure:
    return HttpFailure(CONNECT_FAILED, f"Couldn't initialize SSL client context: {what}: {problem}")


def _shown(text: bytes) -> str:
    return text.decode("ascii", "backslashreplace")
