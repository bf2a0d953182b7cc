"""`python -m bench NAME [--json]`: run one benchmark and print what it found."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Final

#: Name -> what it measures; the module of that name has a `run` that returns a Report.
BENCHES: Final = {
    "throughput": "trivial checks per second, beside plain RQ",
    "auth": "auth checks: cost, a table of 100,000 users, slow hashes; beside Dovecot 2.3",
    "batch": "`lualoft batch` over 200,000 lines, beside plain RQ",
    "chaos": "nothing is lost while workers, server and a dispatcher are killed and scripts attack",
    "memory": "a worker's memory over a million calls",
    "lua_host": "calls, events, log lines and JSON in a Lua state",
    "http": "scripts that ask a web service, beside a real Dovecot",
    "dns": "DNS lookups of scripts, beside dnspython's resolver",
    "dict": "dicts on Redis: lookups, commits, iterations over a million keys, from the store and from Lua",
    "instances": "time and memory of loaded scripts",
}


def main() -> int:
    """Run the benchmark that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=sorted(BENCHES), nargs="?", default="throughput")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    report = importlib.import_module(f"bench.{options.name}").run()
    sys.stdout.write((report.to_json() if options.json else report.to_table()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
