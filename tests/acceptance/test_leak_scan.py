"""No secret that a run of every feature was given is readable where it does not belong; and the scan would see it."""

import base64

import pytest

from dispatcher.protocol.outcome import OutcomeKind
from tests.acceptance.leak_forms import Hit, Markers, forms_of
from tests.acceptance.leak_site import Site, leak_on_purpose, use_commands, use_python, use_web


@pytest.fixture
def site(tmp_path, lualoft, start):
    with Site(tmp_path, lualoft, start).running() as site:
        yield site


def test_no_marked_secret_is_found_anywhere(site):
    use_commands(site)
    use_python(site)
    use_web(site)
    assert set(OutcomeKind) - {OutcomeKind.QUEUE_FULL, OutcomeKind.UNAVAILABLE} <= site.kinds, site.kinds
    places = site.places()
    # What is searched is there: each place shows something that belongs there.
    assert b"rq:queue:default" in places["MONITOR"]
    assert b"lualoft:script:" in places["keys at the end"]
    assert b"a witness in the log" in places["log of the workers"]
    assert b"a witness in the log" in places["log of the dispatchers"]
    assert any(b"lualoft:reply:" in data for place, data in places.items() if "aof" in place)
    assert any(b"lualoft:script:" in data for place, data in places.items() if "rdb" in place)
    assert any(b"workers.process" in data for place, data in places.items() if "cmdline" in place)
    assert [] == site.markers.search(places)


def test_script_that_logs_a_password_is_found_in_the_log_and_not_in_redis(site):
    leak_on_purpose(site, site.markers["leak"])
    assert [Hit("log of the workers", "leak", "plain")] == site.markers.search(site.places())


def test_secret_that_was_written_to_redis_is_found_in_its_keys_its_files_and_what_it_was_asked(site):
    site.ask("SET", "somewhere", base64.b64encode(b"ab" + site.markers["leak"].encode() + b"cd"))
    hits = site.markers.search(site.places())
    assert {"base64+2"} == {hit.form for hit in hits}
    found = {hit.place.partition(" ")[0] for hit in hits}
    assert {"MONITOR", "keys", "file"} == found
    assert {"aof", "rdb"} == {hit.place.rpartition(".")[2] for hit in hits if hit.place.startswith("file")}


@pytest.mark.parametrize("form", forms_of("x"))
def test_search_finds_each_form_in_the_middle_of_something_else(form):
    markers = Markers()
    encode = {
        "plain": lambda word: word,
        "reversed": lambda word: word[::-1],
        "hex": lambda word: word.hex().encode(),
        "HEX": lambda word: word.hex().upper().encode(),
        "percent-encoded": lambda word: b"".join(b"%%%02x" % byte for byte in word),
        "PERCENT-ENCODED": lambda word: b"".join(b"%%%02X" % byte for byte in word),
        "escaped": lambda word: b"".join(b"\\x%02x" % byte for byte in word),
        "UTF-16-LE": lambda word: word.decode().encode("utf-16-le"),
        "UTF-16-BE": lambda word: word.decode().encode("utf-16-be"),
        "base64+0": lambda word: base64.b64encode(b"abc" + word + b"d"),
        "base64+1": lambda word: base64.b64encode(b"a" + word + b"d"),
        "base64+2": lambda word: base64.b64encode(b"ab" + word + b"d"),
    }[form]
    data = b"before " + encode(markers["one"].encode()) + b" after"
    assert [Hit("here", "one", form)] == markers.search({"here": data})
