"""No secret that a run of every feature was given is readable where it does not belong; and the scan would see it."""

import base64

import pytest

from dispatcher.protocol.outcome import OutcomeKind
from tests.acceptance.leak_calls import use_python
from tests.acceptance.leak_commands import (
    use_auth_commands,
    use_bad_input,
    use_bad_settings,
    use_commands,
    use_own_servers,
)
from tests.acceptance.leak_dict import use_dicts
from tests.acceptance.leak_forms import Hit, Markers, forms_of
from tests.acceptance.leak_site import Site, call_on_purpose, wait_for_log
from tests.acceptance.leak_web import use_answers, use_keys_and_names, use_web

#: Every feature.
USES = (
    use_commands,
    use_auth_commands,
    use_bad_input,
    use_bad_settings,
    use_own_servers,
    use_python,
    use_web,
    use_answers,
    use_keys_and_names,
    use_dicts,
)


@pytest.fixture
def site(tmp_path, lualoft, start):
    with Site(tmp_path, lualoft, start).running() as site:
        yield site


def test_no_marked_secret_is_found_where_it_does_not_belong(site):
    for use in USES:
        use(site)
    assert set(OutcomeKind) - {OutcomeKind.QUEUE_FULL} <= site.kinds, site.kinds
    site.save()
    places = site.places()
    # What is searched is there: each place shows something that belongs there.
    assert b"rq:queue:default" in places["MONITOR"]
    for prefix in (b"lualoft:script:", b"lualoft:rejected:", b"lualoft:parked", b"dicts/tagged/"):
        assert prefix in places["keys at the end"], prefix
    assert b"a witness in the log" in places["log of the workers"]
    assert b"a witness in the log" in places["log of the dispatchers"]
    assert any(b"lualoft:reply:" in data for place, data in places.items() if "aof" in place)
    assert any(b"lualoft:script:" in data for place, data in places.items() if "rdb" in place)
    assert any(b"workers.process" in data for place, data in places.items() if "cmdline" in place)
    assert [] == site.markers.search(places)
    assert [] == site.names.search(site.places_beside_logs())
    # The values of dicts lie in the dicts, in all that Redis has of them.
    found = {hit.place.rpartition(".")[2] for hit in site.values.search(places)}
    assert {"MONITOR", "keys at the end", "keys with values of dicts", "aof", "rdb"} == found
    assert [] == site.values.search(site.places_beside_dicts())


def test_script_that_logs_a_password_is_found_in_the_log_and_not_in_redis(site):
    marker = site.markers["leak"]
    assert call_on_purpose(site, "leak", marker).is_ok
    wait_for_log(site, marker)
    site.save()
    assert [Hit("log of the workers", "leak", "plain")] == site.markers.search(site.places())


def test_script_that_raises_a_value_of_a_dict_is_found_at_its_caller_and_not_in_redis(site):
    value = site.values["leak"]
    assert call_on_purpose(site, "dict_set", "plain", "", "shared/x", value).is_ok
    site.note("error", call_on_purpose(site, "dict_leak", "plain", "shared/x").error)
    site.save()
    assert {"error 0"} == {hit.place for hit in site.values.search(site.places_beside_dicts())}


def test_value_of_a_dict_under_another_key_is_found_in_all_that_redis_has_of_it(site):
    value = site.values["leak"]
    assert call_on_purpose(site, "dict_set", "plain", "", "shared/x", value).is_ok
    site.ask("SET", "somewhere", f"dicts/plain/x {value}")
    site.save()
    hits = site.values.search(site.places_beside_dicts())
    assert {"MONITOR", "keys at the end", "aof", "rdb"} == {hit.place.rpartition(".")[2] for hit in hits}


def test_secret_that_was_written_to_redis_is_found_in_its_keys_its_files_and_what_it_was_asked(site):
    site.ask("SET", "somewhere", base64.b64encode(b"ab" + site.markers["leak"].encode() + b"cd"))
    site.save()
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
