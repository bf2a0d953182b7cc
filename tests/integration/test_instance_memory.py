"""What a thousand loaded scripts take in one worker: 150 MB at most, with all that a worker gives a script."""

import subprocess
import sys

#: In a process of its own, whose memory nothing else has grown.
MEASURE = """
from bench.instances import COUNT, run
assert COUNT == 1000
loaded = run().rows[0]
print(loaded.rss_mib * 1024 * 1024)
"""

LIMIT_BYTES = 150_000_000


def test_a_thousand_loaded_scripts_take_no_more_than_they_may():
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert float(done.stdout) <= LIMIT_BYTES
