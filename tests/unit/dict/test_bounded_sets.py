from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.dict.result import Row
from workers.dict.seen_names import SeenNames
from workers.dict.sorted_rows import PAGE_ROWS, SortedRows

PAGES = st.lists(st.lists(st.integers(0, 20).map(lambda number: b"%d" % number), max_size=8), max_size=8)


@given(pages=PAGES, limit=st.sampled_from([0, 1, 5, 1000]))
def test_every_name_is_new_once(pages, limit):
    seen, expected, remembered = SeenNames(max_in_memory=limit), [], set()
    for page in pages:
        expected.append([name for name in dict.fromkeys(page) if name not in remembered])
        remembered.update(page)
    try:
        assert expected == [seen.new_of(page) for page in pages]
    finally:
        seen.close()


@pytest.mark.parametrize(("count", "is_on_disk"), [(9, False), (10, False), (11, True)])
def test_names_go_to_disk_past_the_limit(count, is_on_disk):
    seen = SeenNames(max_in_memory=10)
    seen.new_of([b"%d" % number for number in range(count)])
    assert is_on_disk == seen.is_on_disk
    seen.close()
    seen.close()


def sorted_by(rows, **options):
    with closing(SortedRows(**options)) as sorted_rows:
        sorted_rows.add(rows)
        found = []
        while page := sorted_rows.next_page():
            assert len(page) <= PAGE_ROWS
            found += page
        return found


@given(
    st.lists(st.builds(Row, st.binary(max_size=4), st.lists(st.binary(max_size=4), min_size=1).map(tuple)), max_size=20)
)
def test_rows_come_back_whole_and_by_key(rows):
    found = sorted_by(rows, is_by_value=False, wants_values=True)
    assert [row.key for row in sorted(rows, key=lambda row: row.key)] == [row.key for row in found]
    assert sorted(rows, key=repr) == sorted(found, key=repr)


@pytest.mark.parametrize("count", [0, 1, PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1])
def test_rows_come_back_by_value(count):
    rows = [Row(b"%d" % number, (b"%05d" % (count - number),)) for number in range(count)]
    assert rows[::-1] == sorted_by(rows, is_by_value=True, wants_values=True)


def test_unwanted_values_are_left_out():
    rows = [Row(b"a", (b"2",)), Row(b"b", (b"1",)), Row(b"c", ())]
    assert [Row(b"c", ()), Row(b"b", ()), Row(b"a", ())] == sorted_by(rows, is_by_value=True, wants_values=False)
