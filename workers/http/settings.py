"""The settings of one HTTP client, with Dovecot's names and defaults.

`options_24` and `options_23` make them from what a script says; the client machinery reads them. Frozen, and without a
script's secrets in their `repr`; a `Secret` holds the script's bytes as Latin-1.

**Mirrors** http-client-settings.c of 2.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dispatcher.protocol.secret import Secret

_KIB: Final = 1024
_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = 60 * _SECOND_MS

#: What `unlimited` and `infinite` come to: Dovecot's UINT_MAX.
UNLIMITED: Final = 2**32 - 1

_NO_SECRET: Final = Secret()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """One client. A field that is 0 or empty is "off" or "inherit" where its comment says so."""

    #: Sent as `User-Agent`; empty: none is sent.
    user_agent: bytes = b""
    auto_redirect: bool = True
    #: Try again after a lost connection and after the time-out of an attempt.
    auto_retry: bool = True
    request_max_redirects: int = 0
    #: Tries, the first one included; never 0.
    request_max_attempts: int = 1
    #: For GET and HEAD, PUT and POST, DELETE; 0: `request_max_attempts`.
    read_request_max_attempts: int = 0
    write_request_max_attempts: int = 0
    delete_request_max_attempts: int = 0
    #: 0: each address once.
    max_connect_attempts: int = 0
    #: First pause after a failed connect; it doubles up to the maximum. Never 0.
    connect_backoff_time_ms: int = 100
    connect_backoff_max_time_ms: int = _MINUTE_MS
    #: Of one attempt; never 0.
    request_timeout_ms: int = _MINUTE_MS
    #: By method as above; 0: `request_timeout_ms`.
    read_request_timeout_ms: int = 0
    write_request_timeout_ms: int = 0
    delete_request_timeout_ms: int = 0
    #: Of the whole request with all of its attempts; 0: none.
    request_absolute_timeout_ms: int = 0
    #: TCP and TLS together; 0: `request_timeout_ms`.
    connect_timeout_ms: int = 0
    #: After this the next address is tried at the same time; 0: never.
    soft_connect_timeout_ms: int = 0
    #: Longest wait that a Retry-After may ask for; 0: the time-out of an attempt.
    max_auto_retry_delay_s: int = 0
    #: After this an idle connection is closed; 0: it stays.
    max_idle_time_ms: int = 0
    #: Connections to one server at once; None: the script did not say, so as many as there are requests.
    max_parallel_connections: int | None = None
    max_pipelined_requests: int = 1
    #: Empty: no proxy. The socket wins over the URL.
    proxy_url: bytes = b""
    proxy_socket_path: bytes = b""
    proxy_username: bytes = b""
    proxy_password: Secret = _NO_SECRET
    #: Reach https servers through CONNECT.
    proxy_ssl_tunnel: bool = True
    #: Folder for transcripts; empty: none are written.
    rawlog_dir: bytes = b""
    dns_ttl_ms: int = 30 * _MINUTE_MS
    response_hdr_max_size_bytes: int = 200 * _KIB
    response_hdr_max_field_size_bytes: int = 8 * _KIB
    response_hdr_max_fields: int = 50
    #: 0: the system's.
    socket_send_buffer_size_bytes: int = 0
    socket_recv_buffer_size_bytes: int = 0
    #: Where Dovecot looks its names up; read so that scripts keep working, and without effect here.
    base_dir: bytes = b""
    dns_client_socket_path: bytes = b"dns-client"
    dns_client_timeout_ms: int = 10 * _SECOND_MS
    #: TLS; looked at when the first https request is sent, as in Dovecot. Texts as the script gave them.
    ssl_client_ca_file: bytes = b""
    ssl_client_ca_dir: bytes = b""
    ssl_client_cert_file: bytes = b""
    ssl_client_key_file: bytes = b""
    ssl_client_key_password: Secret = _NO_SECRET
    ssl_cipher_list: bytes = b""
    ssl_cipher_suites: bytes = b""
    ssl_curve_list: bytes = b""
    ssl_min_protocol: bytes = b"TLSv1.2"
    ssl_crypto_device: bytes = b""
    ssl_client_require_valid_cert: bool = True
    ssl_options: bytes = b""
    ssl_peer_certificate_fingerprint_hash: bytes = b""
    #: Why a TLS option cannot be used, empty if all can: told by the first https request.
    ssl_problem: str = ""
    #: Dialect 2.3: the client's events write their debug lines.
    debug: bool = False
