"""What workers/api/dict*.lua calls directly: which dicts a script may open, and giving an iterator back."""

from collections.abc import Callable, Sequence

from workers.dict_binding.operations import DictOperations


def dict_natives(operations: DictOperations, names: Sequence[str]) -> dict[str, Callable[..., object]]:
    """Make the natives of a script that may open the dicts with these names."""
    allowed = frozenset(name.encode() for name in names)
    return {
        "is_dict_allowed": lambda name: name in allowed,
        "release_dict_iterator": operations.release,
    }
