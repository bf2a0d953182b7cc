"""Suffixes of field names and the lists of imports, in both dialects."""

import pytest

from workers.auth.field_syntax import Suffix, split_import, split_suffix


@pytest.mark.parametrize(
    ("name", "is_legacy", "expected"),
    [
        (b"k", False, (Suffix.NONE, b"k")),
        (b"k:default", False, (Suffix.DEFAULT, b"k")),
        (b"k:protected", True, (Suffix.DEFAULT, b"k")),
        (b"k:default", True, (Suffix.NONE, b"k:default")),
        (b"k:protected", False, (Suffix.NONE, b"k:protected")),
        (b"k:remove", False, (Suffix.REMOVE, b"k")),
        (b"k:remove", True, (Suffix.REMOVE, b"k")),
        (b":default", False, (Suffix.NONE, b":default")),
        (b":protected", True, (Suffix.NONE, b":protected")),
        (b":remove", False, (Suffix.NONE, b":remove")),
        (b"k:default:remove", False, (Suffix.REMOVE, b"k:default")),
        (b"a:b", False, (Suffix.NONE, b"a:b")),
        (b"", False, (Suffix.NONE, b"")),
    ],
)
def test_suffix(name, is_legacy, expected):
    assert expected == split_suffix(name, is_legacy=is_legacy)


@pytest.mark.parametrize(
    ("text", "is_legacy", "expected"),
    [
        (b"a=1\tb", False, [b"a=1", b"b"]),
        (b"a=x\x01ty\tb\x01nc", False, [b"a=x\ty", b"b\nc"]),
        (b"a\x010b\x01", False, [b"a"]),
        (b"a\x01\x01", False, [b"a\x01"]),
        (b"a=x\x01ty\tb\x01", True, [b"a=x\x01ty", b"b\x01"]),
        (b"", True, [b""]),
    ],
)
def test_list(text, is_legacy, expected):
    assert expected == split_import(text, is_legacy=is_legacy)
