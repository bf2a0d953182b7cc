"""Filters of 2.4 templates against the values that Dovecot's documentation and test tables give."""

from __future__ import annotations

import pytest

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.expansion import expand

VARIABLES = {
    b"first": b"hello",
    b"second": b"world",
    b"third": b"pointer",
    b"pointer": b"portal",
    b"number": b"4",
    b"which": b"number",
    b"port": b"143",
    b"three": b"3",
    b"encoded": b"68656c6c6f",
    b"domain": b"test.dovecot.org",
    b"user": b"user@test@domain",
    b"multivalue": b"one\ttwo\tthree",
    b"escaped": b"a\x01tb\tc\x01\x01d\x01",
    b"uidvalidity": b"1727121943",
    b"empty": b"",
    b"null": None,
    b"cut": b"before\0after",
    b"long": b"x" * 1000,
    "θ".encode(): b"is theta",
}

VALUES = [
    # lookup and literals
    (b"%{first}", b"hello"),
    (b"%{lookup('first')}", b"hello"),
    (b"%{lookup(third)}", b"portal"),
    (b"%{literal('hello')}", b"hello"),
    (b"%{literal(12)}", b"12"),
    (b"%{literal(first)}", b"hello"),
    (b"%{null}", b""),
    (b"%{cut}", b"before"),
    ("%{θ}".encode(), b"is theta"),
    # default
    (b"%{missing | default}", b""),
    (b"%{missing | default(first)}", b"hello"),
    (b"%{missing | default('hello')}", b"hello"),
    (b"%{first | default(second)}", b"hello"),
    (b"%{default(first)}", b"hello"),
    (b"%{empty | default('nonempty')}", b"nonempty"),
    (b"%{null | default('nonempty')}", b"nonempty"),
    (b"%{user | index('@',-4) | default('hello')}", b"hello"),
    (b"%{nosuch:field | default(5)}", b"5"),
    # case, order, parts
    (b"%{first | upper}", b"HELLO"),
    (b"%{first | upper | lower}", b"hello"),
    (b"%{first | reverse}", b"olleh"),
    (b"%{first | concat(' ',second)}", b"hello world"),
    (b"%{concat(first,' ',second,1)}", b"hello world1"),
    (b"%{first | substr(0)}", b"hello"),
    (b"%{first | substr(5, 0)}", b""),
    (b"%{first | substr(1, 2)}", b"el"),
    (b"%{first | substr(-2, 2)}", b"lo"),
    (b"%{first | substr(2, -2)}", b"l"),
    (b"%{first | substr(-1, -1)}", b""),
    (b"%{first | substr(0, -1)}", b"hell"),
    (b"%{first | substr(-1)}", b"o"),
    (b"%{first | substr(-5)}", b"hello"),
    (b"%{first | substr(-5, -1)}", b"hell"),
    (b"%{first | truncate(3)}", b"hel"),
    (b"%{first | truncate(three)}", b"hel"),
    (b"%{first | truncate(30)}", b"hello"),
    (b"%{first | truncate(bits=7)}", b"4"),
    (b"%{first | truncate(bits=0)}", b""),
    (b"%{domain | ldap_dn}", b"test,dc=dovecot,dc=org"),
    (b"%{user | index('@',0)}", b"user"),
    (b"%{user | index('@',2)}", b"domain"),
    (b"%{user | index('@',-3)}", b"user"),
    (b"%{user | username}", b"user"),
    (b"%{user | domain}", b"test@domain"),
    (b"%{user | domain | domain}", b"domain"),
    (b"%{literal('username') | username}", b"username"),
    (b"%{literal('username') | domain}", b""),
    (b"%{literal('@') | domain}", b""),
    # lists and filling
    (b"%{multivalue | list}", b"one,two,three"),
    (b"%{multivalue | list(' / ')}", b"one / two / three"),
    (b"%{escaped | list}", b"a\tb,c\x01d"),
    (b"%{empty | list}", b""),
    (b"%{literal('1') | rfill(3)}", b"100"),
    (b"%{literal('1') | lfill(3)}", b"001"),
    (b"%{literal('1') | lfill(3, ' ')}", b"  1"),
    (b"%{literal('1') | lfill(3, 'abc')}", b"abc1"),
    (b"%{first | lfill(3)}", b"hello"),
    # hashes
    (b"%{first | sha1}", b"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"),
    (b"%{first | hash('sha1')}", b"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"),
    (b"%{first | sha1(rounds=1000)}", b"c0ddea212ee1af8d6401947d29c8bfab31f8ad93"),
    (b"%{first | sha1(salt='world')}", b"5715790a892990382d98858c4aa38d0617151575"),
    (b"%{first | sha1(salt=second)}", b"5715790a892990382d98858c4aa38d0617151575"),
    (b"%{first | sha1(rounds=1000,salt='world')}", b"a314ec3ef5103223a4c5bd285dbe4ea5534d4334"),
    (b"%{first | md5 | hexlify(8)}", b"5d41402a"),
    (b"%{first | md5 | substr(4,4)}", b"bc4b2a76"),
    (b"%{first | md5 | substr(0,8) % 256 | hex}", b"76"),
    (b"%{first | md5 | substr(0,8) % 30 | hex}", b"c"),
    (b"%{first | md5 % 256 | hex}", b"92"),
    (b"%{first | sha512 % 256 | hex}", b"43"),
    (b"%{first | md5 % 30 | hex(4)}", b"0016"),
    (b"%{first | md5 % 30 | hex(-4)}", b"1600"),
    (b"%{first | sha384 | truncate(2)}", b"59e1"),
    (b"%{first | sha256(rounds=0)}", b"68656c6c6f"),
    # encodings
    (b"%{encoded | unhexlify | text}", b"hello"),
    (b"%{encoded | unhexlify}", b"68656c6c6f"),
    (b"%{three | hexlify}", b"33"),
    (b"%{three | hexlify(4)}", b"0033"),
    (b"%{three | hex | unhex}", b"3"),
    (b"%{three | hex(2)}", b"03"),
    (b"%{uidvalidity | hex}", b"66f1ca17"),
    (b"%{uidvalidity | hex(2)}", b"17"),
    (b"%{uidvalidity | hex(-2)}", b"66"),
    (b"%{literal('1724925643') | hex}", b"66d046cb"),
    (b"%{literal('FFffFFffFFffFFff') | unhex}", b"18446744073709551615"),
    (b"%{first | base64}", b"aGVsbG8="),
    (b"%{first | base64(pad=0)}", b"aGVsbG8"),
    (b"%{first | base64 | unbase64 | text}", b"hello"),
    (b"%{first | base64 | unbase64}", b"68656c6c6f"),
    (b"%{literal('<<???>>') | base64(url=1)}", b"PDw_Pz8-Pg=="),
    (b"%{literal('<<???>>') | base64(pad=0,url=1) | unbase64(pad=0,url=1) | text}", b"<<???>>"),
    (b"%{literal('aGVs bG8') | unbase64 | text}", b"hello"),
    (b"%{literal('YWJj!!!') | unbase64 | text}", b"abc"),
    (b"%{literal('!!') | unbase64}", b""),
    (b"%{literal('0102') | unhexlify | benumber}", b"258"),
    (b"%{literal('0102') | unhexlify | lenumber}", b"513"),
    (b"%{literal('ffffffffffffffff') | unhexlify | benumber}", b"18446744073709551615"),
    (b"%{literal('61ff09c3a9e282') | unhexlify | text}", "a\ufffd\ufffdé\ufffd\ufffd".encode()),
    # numbers
    (b"%{three + 1}", b"4"),
    (b"%{three + -10}", b"-7"),
    (b"%{three - number}", b"-1"),
    (b"%{three * 10}", b"30"),
    (b"%{lookup(which) / 2}", b"2"),
    (b"%{port % 5}", b"3"),
    (b"%{literal('-7') / 2}", b"-3"),
    (b"%{literal('-7') % 2}", b"-1"),
    (b"%{literal('31') | unhexlify | text * 5}", b"5"),
    (b"%{literal('31') | unhex * 5}", b"245"),
    (b"%{three | calculate(0, 4)}", b"7"),
    (b"%{literal('9223372036854775807') + 1}", b"-9223372036854775808"),
    # nothing is escaped without an escape function
    (b"%{first | safe}", b"hello"),
    # the error of a filter behind a hash is lost, as in Dovecot
    (b"%{first | md5 | substr(99)}", b""),
]


@pytest.mark.parametrize(("template", "expected"), VALUES, ids=[repr(template) for template, _ in VALUES])
def test_value_is_the_documented_one(template, expected):
    assert expected == expand(template, VARIABLES, {})


ERRORS = [
    (b"%{missing}", b"Unknown variable 'missing'"),
    (b"%{missing | upper}", b"Unknown variable 'missing'"),
    (b"%{missing | upper | default('x')}", b"Unknown variable 'missing'"),
    (b"%{missing | default(missing)}", b"Unknown variable 'missing'"),
    (b"%{default(missing)}", b"default: Unknown variable 'missing'"),
    (b"%{lookup}", b"lookup: Missing name to lookup"),
    (b"%{lookup(missing)}", b"lookup: Unknown variable 'missing'"),
    (b"%{literal}", b"literal: Missing parameters"),
    (b"%{literal(x='a')}", b"literal: Unsupported key 'x'"),
    (b"%{nosuch:field}", b"Unsupported prefix 'nosuch'"),
    (b"%{first | nosuch}", b"No such function 'nosuch'"),
    (b"%{concat}", b"concat: Missing parameters"),
    (b"%{upper}", b"upper: No value to upper"),
    (b"%{lower}", b"lower: No value to lower"),
    (b"%{reverse}", b"reverse: No value to reverse"),
    (b"%{first | upper(1)}", b"upper: Too many positional parameters"),
    (b"%{first | upper(a=1)}", b"upper: Unsupported key 'a'"),
    (b"%{missing | default(1, 2)}", b"Unknown variable 'missing'"),
    (b"%{first | substr(6)}", b"substr: Offset out of bounds"),
    (b"%{first | substr(-6)}", b"substr: Offset out of bounds"),
    (b"%{first | substr(1, 5)}", b"substr: Length out of bounds"),
    (b"%{first | substr(1, -5)}", b"substr: Length out of bounds"),
    (b"%{first | substr(-1, -5)}", b"substr: Length out of bounds"),
    (b"%{first | substr(5, 1)}", b"substr: Length out of bounds"),
    (b"%{substr}", b"substr: Missing parameters"),
    (b"%{substr(0,0)}", b"substr: No value to substring"),
    (b"%{first | substr(0,1,2)}", b"substr: Too many positional parameters"),
    (b"%{truncate}", b"truncate: Missing parameters"),
    (b"%{truncate('hello')}", b"truncate: 'hello' is not a number"),
    (b"%{truncate(first)}", b"truncate: 'hello' (in first) is not a number"),
    (b"%{truncate(3)}", b"truncate: No value to truncate"),
    (b"%{first | truncate(-1)}", b"truncate: Value of out of bounds"),
    (b"%{first | truncate(1, 2)}", b"truncate: Too many positional parameters"),
    (b"%{first | truncate(bytes=2)}", b"truncate: Unsupported key 'bytes'"),
    (b"%{user | index('@',3)}", b"index: Position out of bounds"),
    (b"%{user | index('@',-4)}", b"index: Position out of bounds"),
    (b"%{user | index('@',4294967296)}", b"index: Position out of bounds"),
    (b"%{user | index('@')}", b"index: Missing index parameter"),
    (b"%{user | index('',0)}", b"index: Empty separator"),
    (b"%{user | username(0)}", b"username: Too many positional parameters"),
    (b"%{user | domain(0)}", b"domain: Too many positional parameters"),
    (b"%{multivalue | list(1)}", b"list: 1 is not a string"),
    (b"%{first | lfill(0)}", b"lfill: Fill length out of bounds"),
    (b"%{first | lfill(1048577)}", b"lfill: Fill length out of bounds"),
    (b"%{first | rfill(9, '')}", b"rfill: Empty filler"),
    (b"%{rfill}", b"rfill: Missing parameters"),
    (b"%{hash}", b"hash: Missing parameters"),
    (b"%{hash(rounds=1000)}", b"hash: No algorithm as first parameter"),
    (b"%{hash('md5',fail=1)}", b"hash: Unsupported key 'fail'"),
    (b"%{first | hash('nosuch')}", b"hash: Unsupported algorithm 'nosuch'"),
    (b"%{first | hash('md5', 2)}", b"hash: Too many positional parameters"),
    (b"%{md5(fail=1)}", b"md5: Unsupported key 'fail'"),
    (b"%{md5}", b"md5: No value to md5"),
    (b"%{first | md5(rounds=500001)}", b"md5: Template takes too much work"),
    (b"%{first | md5(rounds=10000,salt=long)} %{first | md5(rounds=490000)}", b"md5: Template takes too much work"),
    (b"%{hexlify(fail=1)}", b"hexlify: Unsupported key 'fail'"),
    (b"%{first | hexlify(-1)}", b"hexlify: Width must be positive"),
    (b"%{first | unhexlify}", b"unhexlify: Not a hex value"),
    (b"%{first | hex}", b"hex: Input is not a number"),
    (b"%{literal('-1') | hex}", b"hex: Input is not a number"),
    (b"%{first | unhex}", b"unhex: Input is not a hex number"),
    (b"%{literal('10000000000000000') | unhex}", b"unhex: Input is not a hex number"),
    (b"%{three | hex(1048577)}", b"hex: Value exceeds maximum of 1048576 bytes"),
    (b"%{base64(0)}", b"base64: Too many positional parameters"),
    (b"%{base64(fail=1)}", b"base64: Unsupported key 'fail'"),
    (b"%{first | base64(pad=2)}", b"base64: '2' is not 0 or 1"),
    (b"%{unbase64(0)}", b"unbase64: Too many positional parameters"),
    (b"%{unbase64(fail=1)}", b"unbase64: Unsupported key 'fail'"),
    (b"%{first | lenumber}", b"lenumber: Cannot convert '5' bytes to number"),
    (b"%{first + 1}", b"calculate: Input is not a number"),
    (b"%{port / 0}", b"calculate: Division by zero"),
    (b"%{port % 0}", b"calculate: Modulo by zero"),
    (b"%{port + first}", b"calculate: 'hello' (in first) is not a number"),
    (b"%{port | calculate('+', 1)}", b"calculate: Missing operator"),
    (b"%{port | calculate(5, 1)}", b"calculate: Missing operator"),
    (b"%{port | calculate(0)}", b"calculate: Missing operand"),
    (b"%{first | escape}", b"escape: No escape function"),
]


@pytest.mark.parametrize(("template", "detail"), ERRORS, ids=[repr(template) for template, _ in ERRORS])
def test_error_has_dovecots_words(template, detail):
    with pytest.raises(VarExpandError) as caught:
        expand(template, VARIABLES, {})
    assert detail == caught.value.detail


def test_default_does_not_read_its_arguments_if_there_is_a_value():
    assert b"hello" == expand(b"%{first | default(1, 2)}", VARIABLES, {})


def test_error_of_a_binary_value_is_lost_as_in_dovecot():
    assert b"" == expand(b"%{first | md5 % 0}", VARIABLES, {})


def test_result_is_escaped_unless_it_is_safe():
    template = b"a'b %{quote} %{quote | safe} %{quote | escape | safe} %{quote | escape}"
    result = expand(template, {b"quote": b"'"}, {}, escape=lambda value: value.replace(b"'", b"''"))
    assert b"a'b '' ' '' ''''" == result


@pytest.mark.parametrize(
    "template",
    [
        b"%{big | ldap_dn}",
        b"%{big | hexlify}",
        b"%{big | concat(big)}",
        b"%{big}%{big}",
        b"%{tabs | list(big)}",
        b"%{big | regexp('(.+)', '$1$1')}",
    ],
)
def test_result_over_a_megabyte_is_an_error(template):
    variables = {b"big": b"." * 600_000, b"tabs": b"\t" * 1000}
    with pytest.raises(VarExpandError) as caught:
        expand(template, variables, {})
    assert caught.value.detail.endswith((b"Value exceeds maximum of 1048576 bytes", b"match limit exceeded"))


def test_result_of_exactly_a_megabyte_is_allowed():
    assert 1 << 20 == len(expand(b"%{half}%{half}", {b"half": b"x" * (1 << 19)}, {}))
