"""`if`, `switch` and `regexp` of 2.4 templates."""

from __future__ import annotations

import pytest

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.expansion import expand

VARIABLES = {
    b"alpha": b"alpha",
    b"beta": b"beta",
    b"one": b"1",
    b"two": b"2",
    b"evil1": b";', ':",
    b"evil2": b";test;",
    b"binary": b"\xff",
    b"xs": b"x" * 3000,
}

#: left, operator, right -> whether it holds
COMPARISONS = [
    *((left, operator, right, holds) for operator, left, right, holds in [
        ("==", 1, 1, True), ("==", 1, 2, False), ("!=", 1, 1, False), ("!=", 1, 2, True),
        ("<", 1, 1, False), ("<", 1, 2, True), ("<=", 1, 1, True), ("<=", 2, 1, False),
        (">", 1, 1, False), (">", 2, 1, True), (">=", 1, 1, True), (">=", 1, 2, False),
    ]),
    *((f"'{left}'", operator, f"'{right}'", holds) for operator, left, right, holds in [
        ("eq", "a", "a", True), ("eq", "a", "b", False), ("ne", "a", "a", False), ("ne", "a", "b", True),
        ("lt", "a", "a", False), ("lt", "a", "b", True), ("le", "a", "a", True), ("le", "b", "a", False),
        ("gt", "a", "a", False), ("gt", "b", "a", True), ("ge", "a", "a", True), ("ge", "a", "b", False),
        ("*", "a", "a", True), ("*", "a", "b", False), ("*", "abc", "*b*", True), ("*", "a", "*b*", False),
        ("*", "a", "*", True), ("*", "abc", "a?c", True), ("*", "ac", "a?c", False), ("*", "", "*", True),
        ("*", "abcabd", "*abd", True), ("*", "abc", "", False), ("!*", "a", "a", False), ("!*", "a", "b", True),
        ("~", "a", "a", True), ("~", "a", "b", False), ("~", "a", ".*a.*", True), ("~", "a", ".*", True),
        ("~", "", ".*", False), ("!~", "a", "a", False), ("!~", "a", "b", True),
        ("~", "this is test", "^test", False), ("~", "this is test", ".*test", True),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("left", "operator", "right", "holds"), COMPARISONS)
def test_comparison(left, operator, right, holds):
    template = f"%{{if({left}, '{operator}', {right}, 'yes', 'no')}}"
    assert (b"yes" if holds else b"no") == expand(template.encode(), VARIABLES, {})


@pytest.mark.parametrize(("left", "operator", "right", "holds"), COMPARISONS)
def test_comparison_of_the_value_so_far(left, operator, right, holds):
    template = f"%{{literal({left}) | if('{operator}', {right}, 'yes', 'no')}}"
    assert (b"yes" if holds else b"no") == expand(template.encode(), VARIABLES, {})


VALUES = [
    (b"%{alpha | if('eq', alpha, 'yes', 'no')}", b"yes"),
    (b"%{one | if('==', one, one, two)}", b"1"),
    (b"%{one | if('>', two, one, two)}", b"2"),
    (b"%{evil1 | if('eq', ';\\', \\':', evil2, 'no')}", b";test;"),
    (b"%{one | if('==', 1, 7, 8)}", b"7"),
    (b"%{alpha | switch('eq', 'beta', 'b', 'alpha', 'a')}", b"a"),
    (b"%{alpha | switch('eq', 'beta', 'b', 'gamma', 'c', 'other')}", b"other"),
    (b"%{alpha | switch('eq', 'beta', 'b', beta)}", b"beta"),
    (b"%{switch(one, '<', 1, 'less', 5, 'more')}", b"more"),
    (b"%{alpha | switch('~', '^b', 'b', 'ph', 'found')}", b"found"),
    (b"%{alpha | switch('eq', 'beta', 'b') | default('none')}", b"none"),
    (b"%{literal('hello world') | regexp('(.*) (.*)', '\\\\2 \\\\1')}", b"world hello"),
    (b"%{literal('hello world') | regexp('(?<x>l+)o', '<${x}$0$$>')}", b"he<llllo$> world"),
    (b"%{literal('hello') | regexp('x', 'y')}", b"hello"),
    (b"%{literal('hello') | regexp('l', '')}", b"helo"),
    (b"%{literal('a.b') | regexp('\\\\.', '\\\\\\\\')}", b"a\\b"),
    ("%{literal('grün') | regexp('gr(.)n', '$1')}".encode(), "ü".encode()),
    (b"%{literal('aab') | regexp('(|a)b', '-')}", b"a-"),
    (b"%{literal('User+tag@x') | regexp('^([^+@]+)\\\\+[^@]*', '$1')}", b"User@x"),
    (b"%{literal('ABC') | regexp('(?i)b', 'x')}", b"AxC"),
    (b"%{literal('abab') | regexp('(?:ab){2}', 'x')}", b"x"),
    (b"%{literal('a1') | regexp('a(?=\\\\d)', 'x')}", b"x1"),
    (b"%{literal('<<a>>') | regexp('<.+?>', 'x')}", b"x>"),
    (b"%{literal('aa') | regexp('(a)\\\\1', 'x')}", b"x"),
    (b"%{literal('a{b') | regexp('a{', 'x')}", b"xb"),
]


@pytest.mark.parametrize(("template", "expected"), VALUES, ids=[repr(template) for template, _ in VALUES])
def test_chosen_or_replaced_value(template, expected):
    assert expected == expand(template, VARIABLES, {})


ERRORS = [
    (b"%{if('gt', two, one, two)}", b"if: Missing parameters"),
    (b"%{if}", b"if: Missing parameters"),
    (b"%{if(1, '', 1, 'yes', 'no')}", b"if: Unsupported comparator ''"),
    (b"%{if(missing, '==', 1, 'yes', 'no')}", b"if: Left-hand side: Unknown variable 'missing'"),
    (b"%{if(missing, 'eq', 'a', 'yes', 'no')}", b"if: Left-hand side Unknown variable 'missing'"),
    (b"%{if(1, missing, 1, 'yes', 'no')}", b"if: Comparator: Unknown variable 'missing'"),
    (b"%{if(1, 2, 1, 'yes', 'no')}", b"if: Comparator: 2 is not a string"),
    (b"%{if(1, '==', missing, 'yes', 'no')}", b"if: Right-hand side: Unknown variable 'missing'"),
    (b"%{if(1, '==', 'x', 'yes', 'no')}", b"if: Right-hand side: 'x' is not a number"),
    (b"%{if('a', 'eq', 1, 'yes', 'no')}", b"if: Right-hand side 1 is not a string"),
    (b"%{if(1, '==', 1, missing, 'no')}", b"if: True branch: Unknown variable 'missing'"),
    (b"%{if(1, '==', 0, 'yes', missing)}", b"if: False branch: Unknown variable 'missing'"),
    (b"%{if(1, '==', 1, 'yes', 'no', 'maybe')}", b"if: Too many positional parameters"),
    (b"%{if(fail=1)}", b"if: Unsupported key 'fail'"),
    (b"%{alpha|if('==', two, one, two)}", b"if: Input is not a number"),
    (b"%{alpha|if('~', '(', 'a', 'b')}", b"if: missing closing parenthesis"),
    (b"%{binary|if('~', 'a', 'a', 'b')}", b"if: bad data value"),
    (b"%{xs|if('~', '(x+)+\\\\1y', 'a', 'b')}", b"if: match limit exceeded"),
    (b"%{switch}", b"switch: Missing parameters"),
    (b"%{switch('eq')}", b"switch: Missing parameters"),
    (b"%{alpha|switch}", b"switch: Missing parameters"),
    (b"%{alpha|switch('eq', 'a')}", b"switch: At least one condition-value pair is required"),
    (b"%{alpha|switch('eq', 'beta', 'b')}", b"switch: No default value provided"),
    (b"%{alpha|switch('eq', 'x', 'a', 'alpha', missing)}", b"switch: in condition #1: Unknown variable 'missing'"),
    (b"%{alpha|switch('eq', a=1)}", b"switch: Unsupported key 'a'"),
    (b"%{alpha|regexp}", b"regexp: Missing parameters"),
    (b"%{alpha|regexp('a')}", b"regexp: Missing replacement parameter"),
    (b"%{alpha|regexp('a', 'b', 'c')}", b"regexp: Too many positional parameters"),
    (b"%{regexp('a', 'b')}", b"regexp: No value to regexp"),
    (b"%{alpha|regexp('a', '$1')}", b"regexp: unknown substring"),
    (b"%{alpha|regexp('a', '$x')}", b"regexp: unknown substring"),
    (b"%{alpha|regexp('(z)?a', '$1')}", b"regexp: requested value is not set"),
    (b"%{alpha|regexp('a', '$-')}", b"regexp: invalid replacement string"),
    (b"%{alpha|regexp('a)', '')}", b"regexp: unmatched closing parenthesis"),
    (b"%{alpha|regexp('[a', '')}", b"regexp: missing terminating ] for character class"),
    (b"%{alpha|regexp('[b-a]', '')}", b"regexp: range out of order in character class"),
    (b"%{alpha|regexp('[[:x:]]', '')}", b"regexp: unknown POSIX class name"),
    (b"%{alpha|regexp('*', '')}", b"regexp: quantifier does not follow a repeatable item"),
    (b"%{alpha|regexp('a{2,1}', '')}", b"regexp: numbers out of order in {} quantifier"),
    (b"%{alpha|regexp('a{65536}', '')}", b"regexp: number too big in {} quantifier"),
    (b"%{alpha|regexp('(a{100}){100}', '')}", b"regexp: regular expression is too large"),
    (b"%{alpha|regexp('\\\\1', '')}", b"regexp: reference to non-existent subpattern"),
    (b"%{alpha|regexp('a\\\\', '')}", b"regexp: \\ at end of pattern"),
    (b"%{alpha|regexp('\\\\y', '')}", b"regexp: unrecognized character follows \\"),
    (b"%{alpha|regexp('(?<=a)b', '')}", b"regexp: unrecognized character after (? or (?-"),
    (b"%{alpha|regexp('a++', '')}", b"regexp: possessive quantifiers are not supported"),
    (b"%{alpha|regexp('" + b"(" * 101 + b"', '')}", b"regexp: parentheses are too deeply nested"),
    (b"%{alpha|regexp(xs, '')} %{alpha|regexp('\\\\x{110000}', '')}", b"regexp: character code point value in "),
]


@pytest.mark.parametrize(("template", "detail"), ERRORS, ids=[repr(template)[:70] for template, _ in ERRORS])
def test_error_has_dovecots_words(template, detail):
    with pytest.raises(VarExpandError) as caught:
        expand(template, VARIABLES, {})
    assert detail == caught.value.detail[: len(detail)]


def test_nested_repetition_takes_no_exponential_time():
    assert b"b" == expand(b"%{xs | if('~', '(x+x+)+y', 'a', 'b')}", {b"xs": b"x" * 1000}, {})


def test_long_pattern_is_refused():
    with pytest.raises(VarExpandError, match="regular expression is too large"):
        expand(b"%{user | regexp(pattern, '')}", {b"user": b"x", b"pattern": b"x" * 8193}, {})


def test_repeated_nothing_takes_no_time():
    assert b"x" == expand(b"%{user | regexp('(?:(?:(?:){65535}){65535}){65535}a', '')}", {b"user": b"x"}, {})


def test_wildcards_that_take_too_long_are_an_error():
    variables = {b"text": b"x" * 20_000, b"mask": b"*" + b"x" * 10_000 + b"y"}
    with pytest.raises(VarExpandError, match="too much work"):
        expand(b"%{text | if('*', mask, 'a', 'b')}", variables, {})
