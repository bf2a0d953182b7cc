import copy
import pickle

import pytest

from dispatcher.protocol.secret import Secret

SECRET = Secret("correct horse")


@pytest.mark.parametrize(
    "show", [repr, str, format, "{}".format, "{!r:>10}".format, lambda secret: f"{[secret]}"], ids=range(6)
)
def test_text_does_not_show(show):
    assert "***" in show(SECRET)
    assert "correct" not in show(SECRET)


def test_reveal_returns_the_text():
    assert "correct horse" == SECRET.reveal()


def test_empty_secret_is_false_and_shows_as_nothing():
    assert (False, "", "''") == (bool(Secret()), str(Secret()), repr(Secret()))


def test_secrets_compare_by_value():
    assert Secret("schlüssel") == Secret("schlüssel")
    assert Secret("a") != Secret("b")
    assert 1 == len({Secret("a"), Secret("a")})


def test_secret_equals_no_text():
    assert SECRET != "correct horse"


@pytest.mark.parametrize("leak", [pickle.dumps, copy.deepcopy, vars], ids=["pickle", "deepcopy", "vars"])
def test_secret_leaves_only_by_reveal(leak):
    with pytest.raises(TypeError):
        leak(SECRET)
