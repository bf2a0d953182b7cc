"""The shape of a reply-stream entry: which field holds what.

Workers write entries, the dispatcher's reader takes them apart.
"""

from typing import Final

#: A sealed batch of outcomes.
OUTCOMES_FIELD: Final = b"o"

#: "NUMBER REASON" in the clear: the chunk that a worker could not open. Anyone who can write to Redis can forge one;
#: all that does is end the chunk's calls as `rejected`, which is no verdict.
REFUSAL_FIELD: Final = b"r"

#: Seconds after which an abandoned reply stream is gone; every write puts it off.
STREAM_EXPIRES_S: Final = 300
