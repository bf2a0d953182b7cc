"""The table of password schemes, as `doveadm pw -l` of 2.3.19 and 2.4 lists them.

`check`, `generate` and the command line look schemes up here. Those whose method the system's libcrypt lacks are left
out, which is what Dovecot does.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from workers.passwords import argon2, bcrypt, cram_md5, crypt, libcrypt, md5_crypt, otp, pbkdf2, plain
from workers.passwords.digest import digest_functions, generate_digest_md5, salted_functions, verify_digest_md5
from workers.passwords.encoding import SUFFIXES, Encoding
from workers.passwords.policy import Dialect
from workers.passwords.scheme import Scheme
from workers.passwords.scram import scram_functions

_HEX: Final = Encoding.HEX
_BASE64: Final = Encoding.BASE64

#: Everything; the raw lengths are those of the digests.
_SCHEMES: Final = (
    Scheme(b"PLAIN", plain.verify_plain, plain.generate_plain),
    Scheme(b"CLEAR", plain.verify_plain, plain.generate_plain),
    Scheme(b"CLEARTEXT", plain.verify_plain, plain.generate_plain),
    Scheme(b"PLAIN-TRUNC", plain.verify_truncated, plain.generate_truncated),
    Scheme(b"SHA", *digest_functions("sha1"), _BASE64, 20),
    Scheme(b"SHA1", *digest_functions("sha1"), _BASE64, 20),
    Scheme(b"SHA256", *digest_functions("sha256"), _BASE64, 32),
    Scheme(b"SHA512", *digest_functions("sha512"), _BASE64, 64),
    Scheme(b"SSHA", *salted_functions("sha1", "SSHA"), _BASE64),
    Scheme(b"SSHA256", *salted_functions("sha256", "SSHA256"), _BASE64),
    Scheme(b"SSHA512", *salted_functions("sha512", "SSHA512"), _BASE64),
    Scheme(b"SMD5", *salted_functions("md5", "SMD5"), _BASE64, is_weak=True),
    Scheme(b"PLAIN-MD4", *digest_functions("md4"), _HEX, 16, is_weak=True),
    Scheme(b"PLAIN-MD5", *digest_functions("md5"), _HEX, 16, is_weak=True),
    Scheme(b"LDAP-MD5", *digest_functions("md5"), _BASE64, 16, is_weak=True),
    Scheme(b"MD5", md5_crypt.verify_any_md5, md5_crypt.generate, is_weak=True),
    Scheme(b"MD5-CRYPT", md5_crypt.verify, md5_crypt.generate, is_weak=True),
    Scheme(b"CRYPT", crypt.verify, bcrypt.generate),
    Scheme(b"BLF-CRYPT", bcrypt.verify, bcrypt.generate),
    Scheme(b"DES-CRYPT", crypt.verify, crypt.generate_des, is_weak=True),
    Scheme(b"SHA256-CRYPT", crypt.verify, crypt.sha_generator(b"$5$")),
    Scheme(b"SHA512-CRYPT", crypt.verify, crypt.sha_generator(b"$6$")),
    Scheme(b"CRAM-MD5", cram_md5.verify, cram_md5.generate, _HEX, 32),
    Scheme(b"HMAC-MD5", cram_md5.verify, cram_md5.generate, _HEX, 32, is_weak=True),
    Scheme(b"DIGEST-MD5", verify_digest_md5, generate_digest_md5, _HEX, 16),
    Scheme(b"SCRAM-SHA-1", *scram_functions("SCRAM-SHA-1", "sha1")),
    Scheme(b"SCRAM-SHA-256", *scram_functions("SCRAM-SHA-256", "sha256")),
    Scheme(b"PBKDF2", pbkdf2.verify, pbkdf2.generate),
    Scheme(b"ARGON2I", argon2.verify, argon2.generate_argon2i),
    Scheme(b"ARGON2ID", argon2.verify, argon2.generate_argon2id),
    Scheme(b"ARGON2", argon2.verify, argon2.generate_argon2id, dialect=Dialect.V2_4),
    # Dovecot's main branch has removed it; released 2.4.x up to 2.4.4 still has it.
    Scheme(b"OTP", otp.verify, otp.generate, dialect=Dialect.V2_3),
)

#: Scheme -> method of libcrypt without which it does not exist.
_NEEDS: Final = {
    b"BLF-CRYPT": "bcrypt",
    b"DES-CRYPT": "des",
    b"SHA256-CRYPT": "sha256",
    b"SHA512-CRYPT": "sha512",
}


class FoundScheme(NamedTuple):
    """What a name leads to."""

    scheme: Scheme
    #: Encoding that the name asks for by its suffix; None if it has none.
    explicit: Encoding | None


def find_scheme(name: bytes, dialect: Dialect) -> FoundScheme | None:
    """Return the scheme and the encoding that `NAME` or `NAME.suffix` of any case stands for; None if it is unknown."""
    base, dot, suffix = name.partition(b".")
    scheme = _by_name().get(base.upper())
    explicit = SUFFIXES.get(suffix.lower())
    if scheme is None or not scheme.is_in(dialect) or (dot and explicit is None):
        return None
    return FoundScheme(scheme, explicit)


def list_schemes(dialect: Dialect) -> list[Scheme]:
    """Return the schemes that exist here, sorted by name."""
    return sorted((scheme for scheme in _by_name().values() if scheme.is_in(dialect)), key=lambda scheme: scheme.name)


@cache
def _by_name() -> dict[bytes, Scheme]:
    missing = {name for name, method in _NEEDS.items() if method not in libcrypt.methods()}
    return {scheme.name: scheme for scheme in _SCHEMES if scheme.name not in missing}
