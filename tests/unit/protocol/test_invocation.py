import pytest

from dispatcher.protocol.errors import ArgumentError
from dispatcher.protocol.invocation import INT_MAX, INT_MIN, MAX_DEPTH, Invocation, ScriptPackage, normalise_arguments


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def test_text_becomes_utf8_and_all_else_stays():
    values = [None, True, 1, 1.5, b"\xff", "é", ("a", [1]), {"k": {2: "v"}}]
    expected = [None, True, 1, 1.5, b"\xff", b"\xc3\xa9", [b"a", [1]], {b"k": {2: b"v"}}]
    assert expected == normalise_arguments(values)


def test_undecodable_byte_of_a_command_line_leaves_unchanged():
    assert [b"\xff"] == normalise_arguments([b"\xff".decode("utf-8", "surrogateescape")])


@pytest.mark.parametrize("value", [INT_MIN, INT_MAX])
def test_integers_of_64_bits_travel(value):
    assert [value] == normalise_arguments([value])


@pytest.mark.parametrize("value", [INT_MIN - 1, INT_MAX + 1])
def test_integers_over_64_bits_do_not(value):
    with pytest.raises(ArgumentError, match=r"args\[0\] is outside the 64-bit integers"):
        normalise_arguments([value])


def test_nesting_up_to_the_limit_travels():
    assert [nested(MAX_DEPTH)] == normalise_arguments([nested(MAX_DEPTH)])


def test_nesting_past_the_limit_does_not():
    with pytest.raises(ArgumentError, match="nests deeper than 64 levels"):
        normalise_arguments([nested(MAX_DEPTH + 1)])


def test_lone_surrogate_is_refused():
    with pytest.raises(ArgumentError, match=r"args\[0\] holds a lone surrogate"):
        normalise_arguments(["\ud800"])


def test_place_of_a_deep_value_is_named_and_its_content_is_not():
    with pytest.raises(ArgumentError) as caught:
        normalise_arguments([1, {"users": [{"password": {"secret"}}]}])
    assert str(caught.value).startswith("args[1]['users'][0]['password'] is a set;")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("values", ["text", {"a": 1}, 5, None], ids=repr)
def test_arguments_must_be_a_list(values):
    with pytest.raises(ArgumentError, match="arguments must be a list, not"):
        normalise_arguments(values)


def test_repr_shows_no_argument():
    invocation = Invocation(1, b"", "f", [b"tops3cret"], 0.0, 0.0, is_idempotent=False)
    assert "Invocation(1, 'f', 1 args)" == repr(invocation)


def test_repr_of_a_package_shows_no_source_and_no_setting():
    package = ScriptPackage(1, "auth", "file", b"local key = 's3cret'", "2.4", "5.4", {"api": "t0ken"}, 0)
    assert "s3cret" not in repr(package)
    assert "t0ken" not in repr(package)


class Number(float):
    """A number of somebody's library."""


def test_subclasses_travel_as_the_plain_type():
    (value,) = normalise_arguments([[Number(1.5)]])
    assert [float] == [type(item) for item in value]
