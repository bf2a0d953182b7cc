"""docs/http.md against the code: every option of both dialects with its default, and the statuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workers.http import failure, options_23, options_24
from workers.http.operation import MAX_PAYLOAD_BYTES
from workers.http.settings import ClientSettings

DOCUMENT = (Path(__file__).parents[3] / "docs" / "http.md").read_text()
DEFAULTS = ClientSettings()
#: Options of 2.3 that say the opposite of their field.
INVERTED = ("no_auto_redirect", "no_auto_retry")


def documented(heading):
    """Option -> default, both as texts, of the table below a heading."""
    section = re.split(r"^#", DOCUMENT.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in section.splitlines() if "| `" in line[:3]]
    return {row[0]: row[2] for row in rows}


def plain(value):
    value = value.reveal() if hasattr(value, "reveal") else value
    return value.encode() if isinstance(value, str) else value


def test_every_option_of_2_4_is_documented_and_no_other():
    assert set(options_24.OPTIONS) == set(documented("### Dialect 2.4"))


def test_every_option_of_2_3_is_documented_and_no_other():
    assert set(options_23.OPTIONS) == set(documented("### Dialect 2.3"))


@pytest.mark.parametrize(("option", "default"), documented("### Dialect 2.4").items())
def test_default_of_2_4_is_the_documented_one(option, default):
    field, parse = options_24.OPTIONS[option]
    expected = None if default == "unlimited" else plain(parse(default))
    assert expected == plain(getattr(DEFAULTS, field))


@pytest.mark.parametrize(("option", "default"), documented("### Dialect 2.3").items())
def test_default_of_2_3_is_the_documented_one(option, default):
    field, _ = options_23.OPTIONS[option]
    actual = plain(getattr(DEFAULTS, field))
    if option in INVERTED:
        actual = not actual
    texts = {True: "true", False: "false", b"": ""}
    assert default == (texts[actual] if isinstance(actual, bool | bytes) else str(actual))


def test_every_status_that_can_come_is_documented():
    known = {value for name, value in vars(failure).items() if name.isupper()} - {failure.PREREQUISITE_FAILED}
    assert known == {int(number) for number in re.findall(r"^\| (9\d{3}) \|", DOCUMENT, re.MULTILINE)}


def test_limits_are_the_documented_ones():
    assert {f"{MAX_PAYLOAD_BYTES // 2**20} MiB"} == set(re.findall(r"\d+ MiB", DOCUMENT))
