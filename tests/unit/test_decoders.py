"""Every decoder refuses what it must refuse, in its own words: the short run of `make fuzz`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.decoder import run_one
from tests.fuzz.decoders import DECODERS
from tests.fuzz.mutation import mutate

#: Inputs for each decoder.
SHORT_RUN = 1000

each_decoder = pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)


@each_decoder
def test_valid_input_is_taken(decoder):
    decoder.decode(decoder.seeds[0])


@each_decoder
def test_almost_valid_input_is_taken_or_refused(decoder):
    for number in range(SHORT_RUN):
        run_one(decoder, mutate(decoder.seeds, number))


@each_decoder
@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused(decoder, data):
    run_one(decoder, data)


def test_error_that_a_decoder_must_not_raise_is_found():
    broken = DECODERS[0]._replace(decode=lambda data: data[100])
    with pytest.raises(IndexError):
        run_one(broken, b"")


def test_numbers_name_inputs_for_good():
    assert mutate([b"a" * 50], 7, b"salt") == mutate([b"a" * 50], 7, b"salt")
    assert len({mutate([b"a" * 50], number) for number in range(100)}) > 90
