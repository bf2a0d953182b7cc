"""Costs that would burn the machine are refused: at once, as data that cannot be used, and just above the limit."""

import time

import pytest

from workers.passwords import limits
from workers.passwords.bcrypt import check_cost as check_bcrypt_cost
from workers.passwords.check import verify
from workers.passwords.crypt_cost import check_cost
from workers.passwords.libcrypt import crypt
from workers.passwords.verdict import CostError, Verdict
from workers.passwords.yescrypt_cost import YescryptCost, scrypt_cost, yescrypt_cost

#: Far more than a refusal needs, far less than the cheapest of these hashes, in seconds.
AT_ONCE_S = 0.5

TAG = b"aXC9DAEKFEiTWuBcu7wZSLMLFi2VEnoEfoWYcNxC7WU"

ABSURD = {
    "bcrypt 31": b"{BLF-CRYPT}$2y$31$abcdefghijklmnopqrstuuP0OnjZCFduGCxjP1QtZiJcwmesyncYa",
    "bcrypt 31 in CRYPT": b"{CRYPT}$2a$31$abcdefghijklmnopqrstuuP0OnjZCFduGCxjP1QtZiJcwmesyncYa",
    "bcrypt 17": b"{BLF-CRYPT}$2y$17$abcdefghijklmnopqrstuuP0OnjZCFduGCxjP1QtZiJcwmesyncYa",
    "argon2 4 GiB": b"{ARGON2ID}$argon2id$v=19$m=4194304,t=3,p=1$c2FsdHNhbHQ$" + TAG,
    "argon2 4 TiB": b"{ARGON2ID}$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$" + TAG,
    "argon2 10^9 passes": b"{ARGON2I}$argon2i$v=19$m=64,t=1000000000,p=1$c2FsdHNhbHQ$" + TAG,
    "argon2 65 lanes": b"{ARGON2I}$argon2i$v=19$m=520,t=1,p=65$c2FsdHNhbHQ$" + TAG,
    "sha512-crypt 10^9": b"{SHA512-CRYPT}$6$rounds=999999999$ab$x",
    "sha256-crypt 10^9": b"{CRYPT}$5$rounds=999999999$ab$x",
    "sha1-crypt 10^9": b"{CRYPT}$sha1$1000000000$abcdefgh$x",
    "sha1-crypt below zero": b"{CRYPT}$sha1$-1$abcdefgh$x",
    "sun md5 10^9": b"{CRYPT}$md5,rounds=1000000000$abcdefgh$x",
    "yescrypt 1 TiB": b"{CRYPT}$y$jPT$abcdefgh$x",
    "gost-yescrypt 1 TiB": b"{CRYPT}$gy$jPT$abcdefgh$x",
    "yescrypt many passes": b"{CRYPT}$y$j9T/z.....$abcdefgh$x",
    "scrypt 2^62": b"{CRYPT}$7$wU..../....salt$x",
    "scrypt parallel": b"{CRYPT}$7$66..../zzzzsalt$x",
    "pbkdf2 2^32": b"{PBKDF2}$1$salt$4294967295$" + b"0" * 40,
    "pbkdf2 10^9": b"{PBKDF2}$1$salt$1000000000$" + b"0" * 40,
    "scram 10^9": b"{SCRAM-SHA-1}1000000000,c2FsdA==,LKdRNqVUtrKFzJMFk9kTPce6KIY=,XtLwbMC1u/H+18M3BcOfLvhrxl0=",
    "otp 10^9": b"{OTP}sha1 1000000000 seed 0011223344556677",
    "otp below zero": b"{OTP}md5 -1 seed 0011223344556677",
}


@pytest.mark.parametrize("stored", ABSURD.values(), ids=ABSURD)
def test_absurd_cost_is_refused_at_once(stored):
    began_s = time.perf_counter()
    done = verify(stored, b"secret", default_scheme="PLAIN", allow_weak=True)
    assert time.perf_counter() - began_s < AT_ONCE_S
    assert (-1, Verdict.NOT_COMPUTED) == (done.result, done.verdict)
    assert done.error.startswith(b"Password hash refused: ")
    assert b"is over the limit of" in done.error


@pytest.mark.parametrize(
    ("template", "limit"),
    [
        (b"$6$rounds=%d$ab", limits.MAX_SHA_CRYPT_ROUNDS),
        (b"$5$rounds=%d$ab", limits.MAX_SHA_CRYPT_ROUNDS),
        (b"$sha1$%d$ab", limits.MAX_SHA1_CRYPT_ROUNDS),
        (b"$md5,rounds=%d$ab", limits.MAX_SUN_MD5_ROUNDS),
    ],
)
def test_limit_of_rounds_itself_is_allowed(template, limit):
    assert 0 == check_cost(template % limit)
    with pytest.raises(CostError, match=f"over the limit of {limit}$") as refused:
        check_cost(template % (limit + 1))
    assert limit == refused.value.limit


def test_limit_of_bcrypt_itself_is_allowed():
    check_bcrypt_cost(limits.MAX_BCRYPT_COST)
    with pytest.raises(CostError):
        check_bcrypt_cost(limits.MAX_BCRYPT_COST + 1)


@pytest.mark.parametrize(("sequence", "verdict"), [(10_000, Verdict.MISMATCH), (10_001, Verdict.NOT_COMPUTED)])
def test_limit_of_otp_itself_is_allowed(sequence, verdict):
    stored = b"{OTP}sha1 %d seed 0011223344556677" % sequence
    assert verdict is verify(stored, b"secret", default_scheme="PLAIN", allow_weak=True).verdict


@pytest.mark.parametrize(("lanes", "verdict"), [(64, Verdict.MISMATCH), (65, Verdict.NOT_COMPUTED)])
def test_limit_of_lanes_itself_is_allowed(lanes, verdict):
    stored = b"{ARGON2ID}$argon2id$v=19$m=%d,t=1,p=%d$c2FsdHNhbHQ$%b" % (8 * lanes, lanes, TAG)
    assert verdict is verify(stored, b"secret", default_scheme="PLAIN", allow_weak=True).verdict


@pytest.mark.parametrize(("size", "verdict"), [(65_536, Verdict.MISMATCH), (65_537, Verdict.NOT_COMPUTED)])
def test_limit_of_a_password_for_md5_crypt_itself_is_allowed(size, verdict):
    stored = b"$1$salt$S/qOM5vpgFjqTFKVWAUkD0"
    assert verdict is verify(stored, b"x" * size, default_scheme="PLAIN", allow_weak=True).verdict


@pytest.mark.parametrize(
    ("setting", "memory_kib"),
    [
        (b"$y$j9T$salt", 16 * 1024),
        (b"$gy$j9T$salt", 16 * 1024),
        (b"$y$jET$salt", 512 * 1024),
        (b"$7$CU..../....salt", 64 * 1024),
        (b"$6$salt", 0),
        (b"$y$", 0),
        (b"$y$zzz$abc", 0),
        (b"$7$CU", 0),
        (b"ab", 0),
        (b"", 0),
    ],
    ids=repr,
)
def test_memory_of_a_setting(setting, memory_kib):
    assert memory_kib == check_cost(setting)


def test_memory_above_the_limit_is_refused():
    with pytest.raises(CostError, match="memory"):
        check_cost(b"$y$jFT$salt")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param(b"j9T$", YescryptCost(16 * 1024, 16 * 1024), id="debian's"),
        pytest.param(b"j9T/0$", YescryptCost(16 * 1024, 64 * 1024), id="three more passes"),
        pytest.param(b"j9k.$", YescryptCost(4096 * 49 // 8, 4096 * 49 // 8), id="number of two characters"),
        pytest.param(b"j9k$", None, id="number that ends early"),
        pytest.param(b"j9", None, id="no block size"),
    ],
)
def test_yescrypt_parameters(parameters, expected):
    assert expected == yescrypt_cost(parameters)
    # libcrypt agrees about which of them are a setting at all.
    assert (expected is None) == (crypt(b"x", b"$y$" + parameters.removesuffix(b"$") + b"$abcdefgh$") is None)


def test_scrypt_parameters():
    assert YescryptCost(64 * 1024, 64 * 1024) == scrypt_cost(b"CU..../....salt")
    assert scrypt_cost(b"CU....!....salt") is None
