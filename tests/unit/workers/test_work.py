from dispatcher.protocol.invocation import Invocation
from workers.work import TakenChunk


def invocation(number, *args):
    return Invocation(number, b"", "f", list(args), 0.0, 0.0, is_idempotent=True)


def test_answered_call_loses_its_arguments_and_the_others_keep_theirs():
    chunk = TakenChunk("r", [invocation(1, b"swordfish"), invocation(2, b"xyzzy")], {}, None)
    chunk.note_answered(1)
    assert [[], [b"xyzzy"]] == [one.args for one in chunk.invocations]
    assert ({1}, 1) == (chunk.answered, chunk.left)


def test_answer_to_a_call_of_another_chunk_forgets_nothing():
    chunk = TakenChunk("r", [invocation(1, b"swordfish")], {}, None)
    chunk.note_answered(9)
    assert [b"swordfish"] == chunk.invocations[0].args
