"""What a pipeline works on: the current value and the variables.

Made by expansion.py for each expansion, changed by the filters. Values are byte strings; Dovecot treats most of them as
C strings, which end at a NUL, and says so here by `text`.

Mirrors: the "transfer" of Dovecot 2.4's lib-var-expand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.limit import Budget, check_size

#: name -> value; None is a variable without a value and expands to nothing.
Variables: TypeAlias = Mapping[bytes, bytes | None]
#: prefix -> function that gets the name behind the prefix; it raises VarExpandError without the prefix.
Providers: TypeAlias = Mapping[bytes, Callable[[bytes], bytes]]
#: Escapes a value for the language that the template is written in.
Escape: TypeAlias = Callable[[bytes], bytes]


class State:
    """The value between two filters.

    Attributes:
        value: the bytes.
        is_set: False before a first value and after an error; `default` gives a value then.
        is_binary: the value came from a hash or a decoder and is written as hexadecimal digits at the end.
        is_safe: the value needs no escaping.
    """

    __slots__ = ("budget", "escape", "is_binary", "is_safe", "is_set", "providers", "value", "variables")

    def __init__(self, variables: Variables, providers: Providers, escape: Escape | None) -> None:
        self.variables = variables
        self.providers = providers
        self.escape = escape
        self.budget = Budget()
        self.value = b""
        self.is_set = False
        self.is_binary = False
        self.is_safe = False

    def reset(self) -> None:
        """Begin a pipeline."""
        self.unset()
        self.is_binary = False

    def unset(self) -> None:
        """Forget the value. As in Dovecot, `is_binary` stays: the error of a filter after a hash is lost at the end."""
        self.value = b""
        self.is_set = False
        self.is_safe = False

    def set_text(self, value: bytes) -> None:
        """Set a C string."""
        self.set_data(value.partition(b"\0")[0])
        self.is_binary = False

    def set_data(self, value: bytes) -> None:
        """Set bytes that are binary if the value before was."""
        check_size(len(value))
        self.value = value
        self.is_set = True

    def set_binary(self, value: bytes) -> None:
        """Set bytes that become hexadecimal digits at the end."""
        self.set_data(value)
        self.is_binary = True

    @property
    def text(self) -> bytes:
        """The value as a C string."""
        return self.value.partition(b"\0")[0]

    def require(self, action: bytes) -> None:
        """Refuse to filter nothing."""
        if not self.is_set:
            raise VarExpandError(b"No value to %b" % action)

    def lookup(self, name: bytes) -> bytes:
        """The value of `name` or `prefix:name`."""
        prefix, colon, field = name.partition(b":")
        if colon:
            return self._provided(prefix, field)
        try:
            return self.variables[name] or b""
        except KeyError:
            raise VarExpandError(b"Unknown variable '%b'" % name) from None

    def _provided(self, prefix: bytes, field: bytes) -> bytes:
        provider = self.providers.get(prefix)
        if provider is None:
            raise VarExpandError(b"Unsupported prefix '%b'" % prefix)
        try:
            return provider(field)
        except VarExpandError as exc:
            raise VarExpandError(b"%b: %b" % (prefix, exc.detail)) from exc
