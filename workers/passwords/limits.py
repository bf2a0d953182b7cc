"""How expensive a stored hash may be. What is over a limit is refused before any work is done.

The schemes read them. A hash comes out of somebody's database: one line with 10^9 rounds would hold a core for minutes
or take the memory of all other checks. Each limit is far above what is in use and keeps one check within a few
seconds on one core of a small server. Makers of hashes obey the same limits, so we make nothing that we would refuse.
"""

from __future__ import annotations

from typing import Final

#: bcrypt, log2 of its rounds: 16 takes 4 s, people use 10 to 14.
MAX_BCRYPT_COST: Final = 16

#: SHA256-CRYPT, SHA512-CRYPT: a second with a short password, six with one of 511 bytes. Common: 5,000 to 656,000.
MAX_SHA_CRYPT_ROUNDS: Final = 2_000_000

#: `$sha1$` inside CRYPT, HMAC-SHA1 each: about 2 s. NetBSD's default is 24,680.
MAX_SHA1_CRYPT_ROUNDS: Final = 4_000_000

#: `$md5,rounds=` inside CRYPT, at least one MD5 of 1.5 kB every other round: 1 to 3 s. Solaris' default is 4,096.
MAX_SUN_MD5_ROUNDS: Final = 1_000_000

# BSDi's DES (`_` inside CRYPT) needs no limit: its form holds 2^24 rounds at most, 4 s.

#: PBKDF2 with SHA-1 or SHA-256, SCRAM's included: 2 to 3 s. Common: 4,096 to 1,300,000.
MAX_PBKDF2_ROUNDS: Final = 4_000_000

#: OTP: a pure Python MD4 takes 0.04 ms and holds the interpreter. One-time passwords count down from 1,024.
MAX_OTP_SEQUENCE: Final = 10_000

#: Memory of one argon2, scrypt or yescrypt hash. Dovecot's own auth processes stop below 256 MiB by default.
MAX_MEMORY_KIB: Final = 512 * 1024

#: Memory of all such hashes that one process computes at a time; further ones wait for their turn.
MEMORY_BUDGET_KIB: Final = 512 * 1024

#: Memory times passes over it, in KiB: about 3 s. Dovecot's costliest generated hash below the memory limit has half.
MAX_MEMORY_WORK_KIB: Final = 2 * 1024 * 1024

#: argon2 starts one thread per lane.
MAX_ARGON2_LANES: Final = 64

#: MD5-CRYPT hashes the password 1,000 times: 0.2 s at this length. The client chooses the password.
MAX_MD5_CRYPT_PLAIN_BYTES: Final = 64 * 1024
