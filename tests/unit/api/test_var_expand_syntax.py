"""Grammar of 2.4 templates: text, escapes, arguments, and the words of syntax errors."""

from __future__ import annotations

import pytest

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.expansion import expand

VARIABLES = {b"test": b"value", b"user": b"alice", b"a-b/c;d": b"odd name"}

TEXTS = [
    (b"", b""),
    (b"no variables", b"no variables"),
    (b"%", b"%"),
    (b"%%", b"%%"),
    (b"100% %u %%", b"100% %u %%"),
    (b"%Lu", b"%Lu"),
    (b"%%{test}", b"%{test}"),
    (b"%%%{test}", b"%%{test}"),
    (b"%%-%%{test}-%%{test}", b"%%-%{test}-%{test}"),
    (b"%{concat('%', test)}", b"%value"),
    (b"a%{test}b%{user}c", b"avaluebalicec"),
    (b"%{test}}", b"value}"),
    (b"y%{test}y", b"yvaluey"),
    (b"\\x20\\110", b"\\x20\\110"),
    (b"cut%{test}\0%{", b"cutvalue"),
    (b"\xff%{test}", b"\xffvalue"),
    # blanks, empty filters, characters that are no token
    (b"%{}", b""),
    (b"%{ \t}", b""),
    (b"%{\n test \n|\n upper }", b"VALUE"),
    (b"%{test |}", b"value"),
    (b"%{test || upper}", b"VALUE"),
    (b"%{test!#$}", b"value"),
    (b"%{a-b/c;d}", b"odd name"),
    # strings
    (b"%{literal('\\110\\145\\x6c\\154\\157')}", b"Hello"),
    (b"%{literal('\\r\\n\\t\\\\')}", b"\r\n\t\\"),
    (b"%{literal('\\'\\\"')}", b"'\""),
    (b'%{literal("it\'s")}', b"it's"),
    (b"%{literal('a\nb')}", b"a\nb"),
    (b"%{literal('}')}", b"}"),
    (b"%{literal('%{test}')}", b"%{test}"),
    (b"%{literal('cut\\0here')}", b"cut"),
    (b"%{literal('\\\nn')}", b"\n"),
    # arguments: order and case of keys do not matter, the first of two equal keys counts
    (b"%{test | sha1(ROUNDS=2)}", b"6dea71629f635c2048e552bc48120689e3f7bcaa"),
    (b"%{test | sha1(rounds=2,rounds=7)}", b"6dea71629f635c2048e552bc48120689e3f7bcaa"),
    (b"%{test | hash(rounds=2,'sha1')}", b"6dea71629f635c2048e552bc48120689e3f7bcaa"),
    (b"%{test | substr ( - 2 )}", b"ue"),
]


@pytest.mark.parametrize(("template", "expected"), TEXTS, ids=[repr(template) for template, _ in TEXTS])
def test_text_is_expanded(template, expected):
    assert expected == expand(template, VARIABLES, {})


ERRORS = [
    (b"%{test", b"syntax error, unexpected end of file, expecting CCBRACE or PIPE"),
    (b"%{", b"syntax error, unexpected end of file, expecting CCBRACE or PIPE"),
    (b"%{test user}", b"syntax error, unexpected NAME, expecting CCBRACE or PIPE"),
    (b"%{1}", b"syntax error, unexpected NUMBER, expecting CCBRACE or PIPE"),
    (b"%{'x'}", b"syntax error, unexpected VALUE, expecting CCBRACE or PIPE"),
    (b"%{(}", b"syntax error, unexpected OBRACE, expecting CCBRACE or PIPE"),
    (b"%{test + 1 + 2}", b"syntax error, unexpected PLUS, expecting CCBRACE or PIPE"),
    (b"%{test + }", b"syntax error, unexpected CCBRACE, expecting MINUS or NAME or NUMBER"),
    (b"%{test + 'x'}", b"syntax error, unexpected VALUE, expecting MINUS or NAME or NUMBER"),
    (b"%{test - - x}", b"syntax error, unexpected NAME, expecting NUMBER"),
    (b"%{test()}", b"syntax error, unexpected CBRACE, expecting MINUS or NAME or VALUE or NUMBER"),
    (b"%{test(1,)}", b"syntax error, unexpected CBRACE, expecting MINUS or NAME or VALUE or NUMBER"),
    (b"%{test(a=)}", b"syntax error, unexpected CBRACE, expecting MINUS or NAME or VALUE or NUMBER"),
    (b"%{test(1 2)}", b"syntax error, unexpected NUMBER, expecting CBRACE or COMMA"),
    (b"%{test('a'='b')}", b"syntax error, unexpected EQ, expecting CBRACE or COMMA"),
    (b"%{test('abc", b"syntax error, unexpected end of file, expecting MINUS or NAME or VALUE or NUMBER"),
    (b"%{test('abc\\", b"syntax error, unexpected end of file, expecting MINUS or NAME or VALUE or NUMBER"),
    (b"%{literal('\\xgg')}", b"Invalid character escape"),
    (b"%{literal('\\999')}", b"Invalid character escape"),
    (b"%{literal('\\777')}", b"Invalid character escape"),
    (b"%{literal('\\z')}", b"Invalid character escape"),
    (b"%{\xff\xfe\xff}", b"Invalid UTF-8 string"),
    (b"%{literal('\xff')}", b"Invalid UTF-8 string"),
    (b"%{test + 9223372036854775808}", b"Not a number"),
    (b"%{test + -9223372036854775809}", b"Not a number"),
    (b"%{test + " + b"9" * 5000 + b"}", b"Not a number"),
    (b"x" * 8193, b"Program size exceeds maximum of 8192 bytes"),
]


@pytest.mark.parametrize(("template", "detail"), ERRORS, ids=[repr(template)[:60] for template, _ in ERRORS])
def test_syntax_error_has_dovecots_words(template, detail):
    with pytest.raises(VarExpandError) as caught:
        expand(template, VARIABLES, {})
    assert detail == caught.value.detail


def test_template_of_the_largest_size_is_expanded():
    assert b"x" * 8192 == expand(b"x" * 8192, {}, {})


def test_variable_comes_before_a_filter_of_the_same_name():
    assert b"example.org" == expand(b"%{domain}", {b"domain": b"example.org"}, {})


def test_arguments_of_a_variable_are_ignored():
    assert b"example.org" == expand(b"%{domain(1,2)}", {b"domain": b"example.org"}, {})


def test_error_message_shows_bytes_that_are_no_text():
    with pytest.raises(VarExpandError) as caught:
        expand(b"%{truncate(user)}", {b"user": b"\xff"}, {})
    assert str(caught.value) == "truncate: '\\xff' (in user) is not a number"
