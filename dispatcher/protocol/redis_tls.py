"""What can be wrong with TLS to Redis, in a sentence: files that cannot be used, and handshakes that fail.

`connection` asks it before it connects and when connecting failed. It opens no connection and knows no redis-py.
"""

import ssl
from collections.abc import Iterator, Mapping
from typing import Final

from dispatcher.protocol.errors import SettingsError

#: What TLS raises.
SSL_ERRORS: Final = (ssl.SSLError,)

#: What to say when TLS ended without a reason: a server that refuses a client often just hangs up.
TLS_ENDED: Final = "it ended the TLS connection; does it want a client certificate, or another one?"

#: What to say when nothing came back: a server without TLS may take our first message for the beginning of a command.
TLS_SILENT: Final = "no answer in time; does it speak TLS on this port?"

#: Parts of OpenSSL's reason -> what to say. Everything else that ends a TLS connection may pass by itself.
_REASONS: Final = (
    ("CERTIFICATE_REQUIRED", "it wants a client certificate: ssl_certfile and ssl_keyfile"),
    ("HANDSHAKE_FAILURE", "it wants a client certificate, or another cipher"),
    ("UNKNOWN_CA", "it does not know the authority of our client certificate (unknown ca)"),
    ("CERTIFICATE_EXPIRED", "it finds our client certificate expired"),
    ("BAD_CERTIFICATE", "it does not accept our client certificate"),
    ("CERTIFICATE_UNKNOWN", "it does not accept our client certificate"),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS on this port"),
)


def check_tls_files(files: Mapping[str, str]) -> None:
    """Refuse files that no TLS connection can be made with.

    Args:
        files: ssl_ca_certs, ssl_certfile, ssl_keyfile -> path, as in RedisAddress.

    Raises:
        SettingsError: it names the file and what is wrong with it.
    """
    for option, path in files.items():
        try:
            with open(path, "rb"):  # noqa: PTH123 - only whether it opens
                pass
        except OSError as exc:
            raise SettingsError("redis.url", f"{option}={path} cannot be read, {exc.strerror}") from exc
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority, certificate, key = (files.get(name) for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"))
    if key and not certificate:
        raise SettingsError("redis.url", "ssl_keyfile needs an ssl_certfile beside it")
    try:
        if authority:
            context.load_verify_locations(authority)
    except (ssl.SSLError, ValueError) as exc:
        raise SettingsError("redis.url", f"ssl_ca_certs={authority} holds no certificate in PEM form") from exc
    try:
        if certificate:
            # An empty password: never ask on the terminal for that of an encrypted key.
            context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError) as exc:
        problem = f"ssl_certfile={certificate} and ssl_keyfile={key or certificate} are no pair in PEM form"
        raise SettingsError("redis.url", f"{problem}, or the key is encrypted") from exc


def tls_problem(error: BaseException) -> str:
    """Say why a TLS handshake failed that will fail again; empty if that was not the reason of the error."""
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            reason = cause.reason or ""
            return next((text for part, text in _REASONS if part in reason), "")
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
