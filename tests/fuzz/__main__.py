"""`python -m tests.fuzz [INPUTS] [SEED]`, the long run of `make fuzz`: a line per decoder, exit code 1 on a bug."""

import sys
import time
import traceback

from tests.fuzz.decoder import run_one
from tests.fuzz.decoders import DECODERS
from tests.fuzz.mutation import mutate

#: Inputs in all, unless told otherwise.
DEFAULT_INPUTS = 2_300_000

#: Seconds that one input may take: nobody may hang a decoder.
SLOW_S = 1.0


def fuzz(decoder, count, salt):
    """Run one decoder; returns the number of inputs that it failed on."""
    failures = 0
    for number in range(count):
        data = mutate(decoder.seeds, number, salt)
        started_s = time.perf_counter()
        try:
            run_one(decoder, data)
        except Exception:  # noqa: BLE001 - a bug in any form
            failures += 1
            if failures <= 3:
                print(f"{decoder.name}: input {number}: {data[:400]!r}\n{traceback.format_exc(limit=-3)}", flush=True)
        if time.perf_counter() - started_s > SLOW_S:
            failures += 1
            print(f"{decoder.name}: input {number} took more than {SLOW_S:g} s: {data[:400]!r}", flush=True)
    return failures


def main(arguments):
    """Run all decoders."""
    total = int(arguments[0]) if arguments else DEFAULT_INPUTS
    salt = (arguments[1] if len(arguments) > 1 else str(time.time_ns())).encode()
    print(f"seed {salt.decode()}")
    each, failures, began_s = -(-total // len(DECODERS)), 0, time.monotonic()
    for decoder in DECODERS:
        started_s = time.monotonic()
        found = fuzz(decoder, each, salt)
        failures += found
        print(
            f"{decoder.name:28} {each:9,} inputs {time.monotonic() - started_s:6.1f} s {found:4} failures", flush=True
        )
    print(f"{each * len(DECODERS):,} inputs in {time.monotonic() - began_s:.0f} s, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
