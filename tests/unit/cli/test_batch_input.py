import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.batch_input import InputError, csv_records, json_records, lines_of

LIMIT = 64


def read(parse, data, *, block=7):
    blocks = [data[start : start + block] for start in range(0, len(data), block)]
    return list(parse(lines_of(blocks, LIMIT), LIMIT))


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line)), st.integers(1, 40))
def test_lines_do_not_depend_on_where_blocks_end(lines, block):
    data = b"".join(line + b"\n" for line in lines).removeprefix(b"\xef\xbb\xbf")
    blocks = [data[start : start + block] for start in range(0, len(data), block)]
    expected = data.split(b"\n")[:-1]
    assert expected == [line.data for line in lines_of(blocks, LIMIT)]


@pytest.mark.parametrize("block", [1, 63, 64, 65, 1000])
@pytest.mark.parametrize(("length", "is_too_long"), [(0, False), (1, False), (64, False), (65, True), (500, True)])
def test_line_over_the_limit_is_not_kept_and_the_next_one_is_whole(length, is_too_long, block):
    data = b"x" * length + b"\nnext"
    blocks = [data[start : start + block] for start in range(0, len(data), block)]
    first, second = lines_of(blocks, LIMIT)
    assert (1, b"" if is_too_long else b"x" * length, is_too_long) == first
    assert (2, b"next", False) == second


def test_line_over_the_limit_at_the_end_is_told():
    (line,) = lines_of([b"x" * 40, b"x" * 40], LIMIT)
    assert line.is_too_long


def test_empty_lines_count_and_are_no_records():
    records = read(json_records, b'\n  \r\n{"args": []}\n')
    assert [3] == [record.line for record in records]


def test_json_line_over_the_limit_is_a_record_that_says_so():
    (record,) = read(json_records, b'{"args": ["' + b"x" * 100)
    assert "the line is longer than 64 bytes" == record.error


def test_csv_numbers_records_by_their_first_line():
    records = read(csv_records, b'id,a\n1,"x\ny\nz"\n\n2,b\n')
    assert [(2, "1", ["x\ny\nz"]), (6, "2", ["b"])] == [(record.line, record.id, record.args) for record in records]


def test_csv_id_may_be_any_column_and_alone():
    assert [("1", ["a", "b"])] == [(record.id, record.args) for record in read(csv_records, b"x,id,y\na,1,b\n")]
    assert [("1", [])] == [(record.id, record.args) for record in read(csv_records, b"id\n1\n")]


def test_csv_windows_line_ends_are_no_part_of_a_value():
    (record,) = read(csv_records, b"id,a\r\n1,b\r\n")
    assert ["b"] == record.args


def test_csv_bytes_survive_as_surrogates():
    (record,) = read(csv_records, b"id,a\n1,\xff\n")
    assert [b"\xff"] == [value.encode("utf-8", "surrogateescape") for value in record.args]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"1", "the line has 1 columns, the header has 2"),
        (b"1,2,3", "the line has 3 columns, the header has 2"),
        (b'1,"x"y', "the line is not CSV"),
        (b"1," + b"x" * 100, "the line is longer than 64 bytes"),
    ],
    ids=["few", "many", "quotes", "long"],
)
def test_csv_line_that_is_no_call_says_why_and_the_next_one_is_whole(line, told):
    bad, good = read(csv_records, b"id,a\n" + line + b"\n8,b\n")
    assert (2, None) == (bad.line, bad.id)
    assert told in bad.error
    assert (3, "8", ["b"], "") == (good.line, good.id, good.args, good.error)


def test_csv_quote_that_is_never_closed_does_not_swallow_memory():
    first, *_ = read(csv_records, b'id,a\n1,"' + b"x\n" * 100)
    assert "the line is not CSV: field larger than field limit (64)" == first.error


@pytest.mark.parametrize("data", [b"", b"\n", b"a,b\n1,2\n", b'"id\n'], ids=["empty", "blank", "no id", "open quote"])
def test_csv_without_a_usable_header_is_refused(data):
    with pytest.raises(InputError):
        read(csv_records, data)
