import pytest

from workers.dict.wording import name_text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"shared/x", "shared/x"),
        ("pr\u00e4fix".encode(), "pr\u00e4fix"),
        (b"a\xffb", "a\\xffb"),
        (b"a\nb\x1b[31m", "a\\nb\\x1b[31m"),
        (b"n" * 200, "n" * 200),
        (b"n" * 201, "n" * 200 + "\u2026"),
    ],
    ids=["plain", "UTF-8", "other bytes", "control characters", "at the limit", "over the limit"],
)
def test_name_is_shown_fit_for_a_log(name, text):
    assert text == name_text(name)
