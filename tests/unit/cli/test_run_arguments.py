import pytest

from dispatcher.cli.run import mark_json_arguments

MARK = "\0json:"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(["a", "--arg-json", "1", "b"], ["a", f"{MARK}1", "b"], id="between others"),
        pytest.param(["--arg-json=[1]", "--arg-json="], [f"{MARK}[1]", MARK], id="with an equals sign"),
        pytest.param(["--arg-json", "--json"], [f"{MARK}--json"], id="takes what follows, whatever it is"),
        pytest.param(["--", "--arg-json", "1"], ["--", "--arg-json", "1"], id="behind two dashes it is text"),
        pytest.param(["a", "--arg-json"], ["a", "--arg-json"], id="without a value click complains"),
        pytest.param(["--arg-jsonx"], ["--arg-jsonx"], id="longer name"),
    ],
)
def test_json_arguments_are_marked_in_their_place(given, expected):
    assert expected == mark_json_arguments(given)
