"""Whatever comes in, bytes or a VarExpandError come out; what is encoded can be decoded."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.expansion import expand
from workers.api.var_expand.filters import FILTERS
from workers.api.var_expand.legacy import expand_legacy
from workers.api.var_expand.limit import Budget
from workers.api.var_expand.providers import standard_providers
from workers.api.var_expand.regexp import matches_pcre, replace_pcre

PROVIDERS = standard_providers({b"HOME": b"/"}, lambda _: b"1")

names = st.sampled_from([*FILTERS, b"value", b"number", b"none", b"missing", b"env:HOME", b"event:x"])
literals = st.sampled_from([b"''", b"'a'", b"'\\x00'", b"'=='", b"'~'", b"'(.)'", b"'*'", b"'$1'", b"'md5'", b"'%Y'"])
arguments = st.one_of(names, literals, st.integers(-(1 << 63), (1 << 63) - 1).map(lambda number: b"%d" % number))
keyed = st.sampled_from([b"", b"", b"", b"rounds=", b"salt=", b"bits=", b"pad=", b"url=", b"unit=", b"key=", b"iv="])
calls = st.tuples(names, st.lists(st.tuples(keyed, arguments).map(b"".join), max_size=5)).map(
    lambda call: call[0] + (b"(%b)" % b", ".join(call[1]) if call[1] else b"")
)
pipelines = st.lists(calls, max_size=4).map(lambda parts: b"%%{%b}" % b" | ".join(parts))
values = st.one_of(st.binary(max_size=40), st.integers(-300, 300).map(lambda number: b"%d" % number))

fields = st.lists(
    st.sampled_from(
        [b"%", b"{", b"}", b"-", b"0", b"12", b".", b"u", b"L", b"H", b"N", b"if;", b";", b"==", b"~", b":"]
    )
    | st.sampled_from(
        [b"\\", b"(a", b"*)", b"[", b"%{if;%u;~;", b"%{sha1;rounds=3:user}", b"salt=", b"%{func:", b"\0"]
    ),
    max_size=20,
).map(b"".join)


def outcome(function, *given_arguments):
    try:
        return function(*given_arguments)
    except VarExpandError as exc:
        return exc.detail


@given(st.binary(max_size=200), values)
def test_any_bytes_as_template_give_bytes_or_an_error(template, value):
    assert isinstance(outcome(expand, template, {b"value": value}, PROVIDERS), bytes)


@settings(deadline=None)  # a template may use up its whole budget of work
@given(pipelines, values)
def test_any_pipeline_gives_bytes_or_an_error(template, value):
    variables = {b"value": value, b"number": b"7", b"none": None}
    assert isinstance(outcome(expand, template, variables, PROVIDERS), bytes)


@settings(deadline=None)  # a template may use up its whole budget of work
@given(st.binary(max_size=100) | fields, values)
def test_any_bytes_as_template_of_2_3_give_bytes_or_an_error(template, value):
    table = {b"u": value, b"user": value}
    assert isinstance(outcome(expand_legacy, template, table, {b"func": bytes}), bytes)


@given(st.binary(max_size=200))
def test_text_without_percent_is_left_alone(text):
    text = text.replace(b"%", b"").replace(b"\0", b"")
    assert text == expand(text, {}, {}) == expand_legacy(text, {}, {})


@given(st.binary(max_size=200))
def test_hexlify_and_unhexlify_are_inverse(data):
    text = data.replace(b"\0", b"")
    assert text.hex().encode() == expand(b"%{value | hexlify | unhexlify}", {b"value": text}, {})


@given(st.binary(max_size=200), st.sampled_from([b"", b"(pad=0)", b"(url=1)", b"(pad=0,url=1)"]))
def test_base64_and_unbase64_are_inverse(data, call):
    template = b"%%{value | unhexlify | base64%b | unbase64%b}" % (call, call)
    assert data.hex().encode() == expand(template, {b"value": data.hex().encode()}, {})


@given(st.integers(0, (1 << 64) - 1))
def test_hex_and_unhex_are_inverse(number):
    assert b"%d" % number == expand(b"%{value | hex | unhex}", {b"value": b"%d" % number}, {})


@given(st.integers(0, (1 << 62)), st.sampled_from([b"s", b"ms", b"us", b"ns"]))
def test_from_epoch_and_epoch_are_inverse(number, unit):
    template = b"%%{value | from_epoch(unit='%b') | epoch(unit='%b')}" % (unit, unit)
    assert b"%d" % number == expand(template, {b"value": b"%d" % number}, {})


@given(st.text("ab", max_size=30), st.binary(min_size=1, max_size=20))
def test_what_was_encrypted_can_be_decrypted(key, data):
    text = data.replace(b"\0", b"") or b"x"
    template = b"%%{value | encrypt(key='k%b',rounds=1) | decrypt(key='k%b')}" % (key.encode(), key.encode())
    assert text == expand(template, {b"value": text}, {})


# The same in Python's own expressions, which know no limit: small ones only. No loop has a body that may be empty:
# Python counts its rounds in its own way. A part is its text and whether it may be empty.
atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\d"])
parts = st.recursive(
    st.tuples(atoms, st.just(value=False)) | st.tuples(atoms.map("{}{{0,2}}".format), st.just(value=True)),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: (pair[0][0] + pair[1][0], pair[0][1] and pair[1][1])),
        st.tuples(inner, inner).map(lambda pair: (f"({pair[0][0]}|{pair[1][0]})", pair[0][1] or pair[1][1])),
        inner.map(lambda part: (f"({part[0]})?", True)),
        inner.filter(lambda part: not part[1]).map(lambda part: (f"(?:{part[0]})*", True)),
        inner.filter(lambda part: not part[1]).map(lambda part: (f"(?:{part[0]})+?", False)),
    ),
    max_leaves=5,
)
anchored = st.builds(
    lambda before, part, behind: before + part[0] + behind,
    st.sampled_from(["", "^", r"\b"]),
    parts,
    st.sampled_from(["", "$", r"\b"]),
)


@given(anchored, st.text("ab1 \n", max_size=6))
def test_expressions_find_what_python_finds(pattern, subject):
    found = next((match for match in re.finditer(pattern, subject) if match.group()), None)
    result = replace_pcre(pattern.encode(), b"<$0>", subject.encode(), Budget())
    if found is None:
        assert result is None
        assert not matches_pcre(pattern.encode(), subject.encode(), Budget())
    else:
        assert f"{subject[: found.start()]}<{found.group()}>{subject[found.end() :]}".encode() == result
