"""Templates of dialect 2.3; every expectation was taken from the library of Dovecot 2.3.19."""

from __future__ import annotations

import hashlib
import os
import socket

import pytest

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.legacy import environment_function, expand_legacy

TABLE = {
    b"u": b"user@dom",
    b"user": b"user@dom",
    b"n": b"user",
    b"v": b"value1234",
    b"p": b"a.b.c  ",
    b"q": b"a\"b'c\\d",
    b"number": b"255",
    b"nul": None,
    b"cut": b"before\0after",
}
FUNCTIONS = {
    b"func": lambda data: b"<" + data + b">",
    b"none": lambda _: None,
    **environment_function({b"HOME": b"/home/alice"}),
}

VALUES = [
    (b"%u %n %%", b"user@dom user %"),
    (b"%Uu %{user}", b"USER@DOM user@dom"),
    (b"%{nul}|%{cut}", b"|before"),
    (b"a\0%k", b"a"),
    # substrings
    (b"%3v", b"val"),
    (b"%3.2v", b"ue"),
    (b"%3.-2v", b"ue12"),
    (b"%-3.2v", b"23"),
    (b"%0.-1v", b"value123"),
    (b"%-4.-1v", b"123"),
    (b"%-2u", b"us"),
    (b"%.3u", b"use"),
    (b"%2.u", b"er@dom"),
    (b"%0.-20u", b"user@dom"),
    (b"%99.2v", b""),
    (b"%-99.2v", b"va"),
    (b"%1.-02v", b"alue12"),
    (b"%1.0-2v", b"alue1234"),
    (b"%99999999999u", b"user@dom"),
    (b"%3{user}", b"use"),
    # padding
    (b"%0009v", b"value1234"),
    (b"%020v", b"00000000000value1234"),
    (b"%1.020v", b"000000000000alue1234"),
    # modifiers
    (b"%Eq", b"a\\\"b\\'c\\\\d"),
    (b"%X{number} %Xu", b"ff 0"),
    (b"%Ru", b"mod@resu"),
    (b"%Tp|", b"a.b.c|"),
    (b"%Dp|", b"a,dc=b,dc=c  |"),
    (b"%Mv", hashlib.md5(b"value1234").hexdigest().encode()),
    (b"%8MLv", b"e8c15136"),
    (b"%2.3Mv", b"c15"),
    (b"%Hv %Nv", b"3b839e4 49784823"),
    (b"%50Hv %5Hv", b"2a 2"),
    (b"%2.256Hv %2.256Nv", b"e4 23"),
    (b"%-2.256Hv %2.-256Hv", b"e4 3b839e4"),
    (b"a%", b"a"),
    (b"%L", b""),
    (b"%5", b""),
    # functions
    (b"%{func}%{func:}%{func:a:b}", b"<><><a:b>"),
    (b"%{none:x}", b""),
    (b"%{env:HOME}%{env:missing}", b"/home/alice"),
    (b"%{user}}", b"user@dom}"),
    (b"%{pid} %{uid} %{gid}", b"%d %d %d" % (os.getpid(), os.geteuid(), os.getegid())),
    (b"%{hostname}", socket.gethostname().encode()),
    # hashes
    (b"%{md5:user}", b"16332cdac2d732f22bbf56ff844a096f"),
    (b"%{md5;format=hexuc:user}", b"16332cdac2d732f22bbf56ff844a096f"),
    (b"%{md5;salt=%u,rounds=5:user}", b"7bc198a4f189159da3761081f1e1eb6b"),
    (b"%{md5;rounds=5,salt=a,b:user}", b"cb16ec88dae6665cb3c4eba5f6c75b3b"),
    (b"%{md5;foo,bar=1:user}", b"16332cdac2d732f22bbf56ff844a096f"),
    (b"%{md5:if;1;==;1;a;b}", b"0cc175b9c0f1b6a831c399e269772661"),
    (b"%{sha1;truncate=0:user}", b"df15801fbb0a4b45a0aca401118d6f89086cb5f8"),
    (b"%{sha3-256:user}", b"1d86e9bedf889f6a1fdfe0785c16546ab3ba1cddfbb14033d0513fb8c439a886"),
    (b"%{size:user}", b"0000000000000008"),
    # conditions
    (b"%{if;%u;eq;user@dom;yes;no}", b"yes"),
    (b"%{IF;5;<;10;a}", b"a"),
    (b"%{if;5;>;10;a}", b""),
    (b"%{if;%u;eq;user@dom;a:b;c}", b"a"),
    (b"%{if;%u;eq;user@dom;a\\:b\\;\\%u\\}c;c}", b"a:b;user@dom}c"),
    (b"%{if;%u;eq;user@dom;a\\\\b}", b"ab"),
    (b"%{if;%u;eq;x;a;%{if;1;==;1;in;%u}}", b"in"),
    (b"%{if;;eq;;a;b}", b"a"),
    (b"%{if;a;eq;b;;}", b""),
    (b"%{if;%u;*;u?er*;a;b}%{if;%u;!*;x;a;b}", b"aa"),
    (b"%{if;%u;~;^user;yes;no}%{if;%u;!~;x;a}", b"yesa"),
    (b"%{if;;~;;a}", b"a"),
    (b"%{if;a;~;a**;a}", b"a"),
    (b"%{if;a)b;~;a);a}", b"a"),
]


@pytest.mark.parametrize(("template", "expected"), VALUES, ids=[repr(template) for template, _ in VALUES])
def test_value_is_that_of_dovecot_2_3(template, expected):
    assert expected == expand_legacy(template, TABLE, FUNCTIONS)


DOCUMENTED_TABLE = {b"value": b"example", b"other-value": b"other-example"}
HASHES = [
    (b"%M{value}", b"1a79a4d60de6718e8e5b326e338ae533"),
    (b"%{sha1:value}", b"c3499c2729730a7f807efb8676a92dcb6f8a3f8f"),
    (b"%{sha1;truncate=12:value}", b"0c34"),
    (b"%{sha1;truncate=16:value}", b"c349"),
    (b"%{sha1;rounds=1000,salt=seawater:value}", b"b515c85884f6b82dc7588279f3643a73e55d2289"),
    (b"%{sha1;rounds=1000,salt=%{other-value}:value}", b"49a598ee110af615e175f2e4511cc5d7ccff96ab"),
    (b"%4.8{sha1:value}", b"9c272973"),
    (b"%{sha1;format=base64:value}", b"w0mcJylzCn+AfvuGdqkty2+KP48="),
]


@pytest.mark.parametrize(("template", "expected"), HASHES, ids=[template.decode() for template, _ in HASHES])
def test_hash_is_that_of_dovecots_own_test(template, expected):
    assert expected == expand_legacy(template, DOCUMENTED_TABLE, {})


def test_pkcs5_takes_the_name_of_the_field_as_salt():
    result = expand_legacy(b"%64{pkcs5:user}", TABLE, FUNCTIONS)
    assert b"b84ad1843014bc138674dcd903647454cbcf96677d01fe537410f81b65e56202" == result


ERRORS = [
    (b"%k", b"Unknown variable '%k'"),
    (b"%LLLLLLLLLLUu", b"Unknown variable '%U'"),
    (b"%{nope}", b"Unknown variable '%nope'"),
    (b"%{u}", b"Unknown variable '%u'"),
    (b"%{}", b"Unknown variable '%'"),
    (b"%{:x}", b"Unknown variable '%'"),
    (b"%{user:x}", b"Unknown variable '%user'"),
    (b"%{user", b"Unknown variable '%{'"),
    (b"%{md5}", b"Unknown variable '%'"),
    (b"%{md5:nope}", b"Unknown variable '%nope'"),
    (b"%{encrypt;key=00:user}", b"Unknown variable '%encrypt;key=00'"),
    (b"%{if}", b"if: missing parameter(s)"),
    (b"%{if;}", b"if: requires four or five parameters, got 0"),
    (b"%{if;%u;eq;a}", b"if: requires four or five parameters, got 3"),
    (b"%{if;a;eq;b;}", b"if: requires four or five parameters, got 3"),
    (b"%{if;a;b;c;d;e;f}", b"if: requires four or five parameters, got 6"),
    (b"%{if;%u;eq;%k;a;b}", b"Unknown variable '%k'"),
    (b"%{if;%u;xx;1;a}", b"if: Unsupported comparator 'xx'"),
    (b"%{if;%u;==;1;a}", b"if: user@dom (lhs) is not a number"),
    (b"%{if;-1;<;+1;a}", b"if: +1 (rhs) is not a number"),
    (b"%{if;a;~;(;a;b}", b"if: regex failed: Unmatched ( or \\("),
    (b"%{if;a;~;*;a}", b"if: regex failed: Invalid preceding regular expression"),
    (b"%{if;a;~;a{2,1};a}", b"if: regex failed: Invalid content of \\{\\}"),
    (b"%{if;a;~;[;a}", b"if: regex failed: Invalid regular expression"),
    (b"%{if;a;~;[a;a}", b"if: regex failed: Unmatched [, [^, [:, [., or [="),
    (b"%{if;a;~;[b-a];a}", b"if: regex failed: Invalid range end"),
    (b"%{md5;rounds=x:user}", b"Cannot parse hash arguments:'x' is not number for rounds"),
    (b"%{md5;rounds=0:user}", b"Cannot parse hash arguments:rounds must be at least 1"),
    (b"%{md5;truncate=x:user}", b"Cannot parse hash arguments:'x' is not number for truncbits"),
    (b"%{md5;format=base64url:user}", b"Cannot parse hash arguments:'base64url' is not supported format"),
    # our own bounds
    (b"%{md5;rounds=500001:user}", b"Template takes too much work"),
    (b"%099999999u", b"Value exceeds maximum of 1048576 bytes"),
    (b"%99999999.5Hu", b"Value exceeds maximum of 1048576 bytes"),
    (b"x" * 65_537, b"Template exceeds maximum of 65536 bytes"),
    (b"%{" + b"md5:" * 17 + b"user}", b"Variables are nested too deeply"),
    (b"%{if;1;==;1;" * 17 + b"}" * 17, b"Variables are nested too deeply"),
]


@pytest.mark.parametrize(("template", "detail"), ERRORS, ids=[repr(template)[:60] for template, _ in ERRORS])
def test_error_is_that_of_dovecot_2_3(template, detail):
    with pytest.raises(VarExpandError) as caught:
        expand_legacy(template, TABLE, FUNCTIONS)
    assert detail == caught.value.detail


# Seen in 2.3.19 through request:var_expand.
KEPT = [
    (b"a%kz", b"aUNSUPPORTED_VARIABLE_kz"),
    (b"%Uk%u", b"UNSUPPORTED_VARIABLE_kuser@dom"),
    (b"%.3{nope}", b"UNSUPPORTED_VARIABLE_nope"),
    (b"%{nope:arg}%{nope;opt:arg}", b"UNSUPPORTED_VARIABLE_nopeUNSUPPORTED_VARIABLE_nope;opt"),
    (b"%{}", b"UNSUPPORTED_VARIABLE_"),
    (b"%{nope", b"UNSUPPORTED_VARIABLE_{nope"),
    (b"x%{sha1:nope}%u", b"xuser@dom"),
    (b"x%{sha1}%u", b"xuser@dom"),
    (b"%{if;%k;eq;a;b;c}%u", b"user@dom"),
    (b"%{if;a;eq;b;%{nope};c}%u", b"user@dom"),
    (b"%{if;1;==;1;%{if;%k;eq;a;b};c}%k", b"UNSUPPORTED_VARIABLE_k"),
]


@pytest.mark.parametrize(("template", "expected"), KEPT, ids=[repr(template) for template, _ in KEPT])
def test_unknown_variable_may_be_kept(template, expected):
    assert expected == expand_legacy(template, TABLE, FUNCTIONS, keeps_unknown=True)


def test_what_is_wrong_otherwise_is_an_error_where_unknown_variables_are_kept():
    with pytest.raises(VarExpandError):
        expand_legacy(b"%k%{if}", TABLE, FUNCTIONS, keeps_unknown=True)


def test_template_of_the_largest_size_is_expanded():
    assert b"x" * 65_536 == expand_legacy(b"x" * 65_536, {}, {})
