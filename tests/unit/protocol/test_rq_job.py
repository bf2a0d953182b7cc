import pytest

from dispatcher.protocol.rq_job import job_id, parse_job_id


def test_job_id_is_read_back():
    assert ("d1", 12) == parse_job_id(job_id("d1", 12))


@pytest.mark.parametrize(
    "text",
    ["", "d1", "d1-", "d1-x", "d1-²", "d1-" + "9" * 5000, "-1", "a b-1", "a\n-1", "x" * 65 + "-1"],
    ids=lambda text: text[:6],
)
def test_id_of_somebody_elses_job_is_no_chunk(text):
    assert parse_job_id(text) is None
