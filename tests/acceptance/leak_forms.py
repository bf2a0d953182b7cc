"""Markers that stand for secrets, the forms in which one could leak, and the search for them."""

import base64
import secrets
from typing import NamedTuple


class Hit(NamedTuple):
    """A marker that was found."""

    place: str
    purpose: str
    form: str


class Markers:
    """A word per purpose that occurs nowhere else; asking for it makes it."""

    def __init__(self):
        self._words = {}

    def __getitem__(self, purpose):
        # Nothing in it that JSON, URLs or a shell would change.
        return self._words.setdefault(purpose, f"Geheim{secrets.token_hex(8)}Ende")

    def add(self, purpose, word):
        """Look for a secret that is made elsewhere too; returns it."""
        self._words[purpose] = word
        return word

    def search(self, places):
        """Look for every marker in every form in all places: name -> bytes."""
        return [
            Hit(place, purpose, form)
            for purpose, word in self._words.items()
            for form, needle in forms_of(word).items()
            for place, data in places.items()
            if needle in data
        ]


def forms_of(word):
    """What the marker looks like in the encodings that are met in logs and protocols: name of the form -> bytes."""
    raw = word.encode()
    forms = {
        "plain": raw,
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "percent-encoded": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "PERCENT-ENCODED": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "escaped": "".join(f"\\x{byte:02x}" for byte in raw).encode(),
        "UTF-16-LE": word.encode("utf-16-le"),
        "UTF-16-BE": word.encode("utf-16-be"),
    }
    # In a longer text it begins at any of three places of a group; its first and last characters depend on neighbours.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        forms[f"base64+{shift}"] = encoded[-(-shift * 8 // 6) : len(encoded) // 4 * 4 - 4]
    return forms
