"""What databases hold of users: stored passwords, what their hashes cost, networks; cheap ones are computed too."""

import json
import re
from pathlib import Path

from tests.fuzz.decoder import Decoder
from workers.auth.networks import check_networks
from workers.passwords.check import decoding_error, split_scheme, verify
from workers.passwords.crypt_cost import check_cost
from workers.passwords.limits import MAX_MEMORY_KIB
from workers.passwords.policy import Dialect
from workers.passwords.verdict import CostError, Verdict

_VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "password-vectors.jsonl").read_text().splitlines()
]
#: Numbers in a hash, and bcrypt's, that are computed here.
MAX_NUMBER, MAX_LOG_COST = 200, 4

STORED = sorted({vector["stored"].encode() for vector in _VECTORS if len(vector["stored"]) < 300})
_SETTINGS = [
    b"$6$rounds=5000$salt$",
    b"$sha1$24680$salt$",
    b"$md5,rounds=4096$salt$",
    b"$y$j9T$salt$",
    b"$gy$j9T$salt$",
    b"$7$CU..../....salt$",
]


def _stored(data):
    for dialect in Dialect:
        assert isinstance(decoding_error(data, dialect=dialect, default_scheme="PLAIN"), bytes)
    if _is_cheap(data):
        verify(data, b"never typed by anybody", username=b"joe", default_scheme="PLAIN", allow_weak=True)


def _is_cheap(data):
    """Whether computing it takes a few milliseconds at most; what the limits allow may take seconds."""
    split = split_scheme(data)
    # In base64 or hex a number cannot be seen; yescrypt, scrypt and BSDi's DES (`_`) hide theirs.
    is_encoded = split.scheme is not None and b"." in split.scheme
    is_hidden = re.search(rb"\$(?:y|gy|7)\$|^_", split.data)
    numbers = [int(digits[:9]) for digits in re.findall(rb"[0-9]+", split.data[: split.data.rfind(b"$") + 1 or 40])]
    bcrypt = re.match(rb"\$2.\$(\d*)", split.data)
    if is_encoded or is_hidden or (bcrypt and int(bcrypt[1] or b"0") > MAX_LOG_COST):
        return False
    return max(numbers, default=0) <= MAX_NUMBER or split.scheme in {b"PLAIN", b"SSHA", b"SHA512"}


def _cost(data):
    assert 0 <= check_cost(data) <= MAX_MEMORY_KIB


class _Request:
    """What the check of networks needs of a request."""

    def __init__(self):
        self.log = []
        self.refused = 0

    def refuse(self, _level, _text):
        self.refused += 1


def _networks(data):
    for remote_ip in (b"192.0.2.1", b"2001:db8::1", b""):
        request = _Request()
        check_networks(request, b"allow_nets", data, remote_ip)
        assert request.refused <= 1


def _never_matches(data):
    # Whatever a database holds of these schemes, an empty hash lets nobody in.
    done = verify(b"{SSHA512}" + data, b"typed", default_scheme="PLAIN", allow_weak=True)
    assert done.verdict is not Verdict.MATCH


PASSWORDS = [
    Decoder("stored password", _stored, STORED),
    Decoder("stored password, salted", _never_matches, [b"", b"MTIzNDU2Nzg5MDEyMzQ1Njc4OTA="]),
    Decoder("cost of a hash", _cost, _SETTINGS, (CostError,)),
    Decoder("networks", _networks, [b"192.0.2.0/24, 2001:db8::/32 local", b"127.1,::1/128"]),
]
