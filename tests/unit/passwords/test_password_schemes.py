import pytest

from workers.passwords.encoding import Encoding
from workers.passwords.policy import Dialect
from workers.passwords.schemes import find_scheme, list_schemes

#: What `doveadm pw -l` of Debian's 2.3.19 prints.
OF_2_3 = (
    "SHA1 SSHA512 SCRAM-SHA-256 BLF-CRYPT PLAIN HMAC-MD5 OTP SHA512 SHA DES-CRYPT CRYPT SSHA MD5-CRYPT PLAIN-MD4 "
    "PLAIN-MD5 SCRAM-SHA-1 SHA512-CRYPT CLEAR CLEARTEXT ARGON2I ARGON2ID SSHA256 MD5 PBKDF2 SHA256 CRAM-MD5 "
    "PLAIN-TRUNC SHA256-CRYPT SMD5 DIGEST-MD5 LDAP-MD5"
)

WEAK = "MD5 MD5-CRYPT DES-CRYPT SMD5 PLAIN-MD4 PLAIN-MD5 LDAP-MD5 HMAC-MD5"


def names(schemes):
    return {scheme.name.decode() for scheme in schemes}


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (Dialect.V2_3, set(OF_2_3.split())),
        (Dialect.V2_4, set(OF_2_3.split()) - {"OTP"} | {"ARGON2"}),
        (Dialect.EITHER, set(OF_2_3.split()) | {"ARGON2"}),
    ],
    ids=["2.3", "2.4", "either"],
)
def test_list_is_doveadms(dialect, expected):
    assert expected == names(list_schemes(dialect))


def test_weak_schemes_are_those_of_2_4():
    assert set(WEAK.split()) == names(scheme for scheme in list_schemes(Dialect.EITHER) if scheme.is_weak)


@pytest.mark.parametrize(
    ("name", "explicit"),
    [
        (b"sha", None),
        (b"SHA.hex", Encoding.HEX),
        (b"Sha.B64", Encoding.BASE64),
        (b"SHA.base64", Encoding.BASE64),
    ],
)
def test_name_and_suffix_are_of_any_case(name, explicit):
    found = find_scheme(name, Dialect.V2_4)
    assert (b"SHA", explicit) == (found.scheme.name, found.explicit)


@pytest.mark.parametrize(
    "name",
    [b"", b" SHA", b"SHA ", b"SHA.", b"SHA.b32", b"SHA.b64.hex", b".hex", b"LANMAN", b"NTLM", b"SCRYPT", b"\xc3\x9f"],
)
def test_other_names_are_unknown(name):
    assert find_scheme(name, Dialect.EITHER) is None
