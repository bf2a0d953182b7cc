"""Who waits for the outcome of a check that another dispatcher runs.

Dispatchers of one key write it sealed beside the check's key in Redis, for whoever runs the check.
"""

import msgspec


class Follower(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A call that is not sent, because an identical one is in flight."""

    schema_version: int
    #: Names its reply stream.
    dispatcher_id: str
    #: Of the call that waits, in that dispatcher.
    invocation_id: int
