"""URLs: Dovecot's complaints, and nothing that could end a line on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.http.url import UrlError, parse_url

#: Reference §4.2 ([R] rows) and uri-util.c of 2.4.
COMPLAINTS = [
    (b"", "Relative HTTP URL not allowed"),
    (b"foo", "Relative HTTP URL not allowed"),
    (b"/rel", "Relative HTTP URL not allowed"),
    (b"5", "Relative HTTP URL not allowed"),
    (b"?q", "Relative HTTP URL not allowed"),
    (b"/a b", "Path component contains invalid character ' '"),
    (b"ftp://x/", "Not an HTTP URL"),
    (b"httpx://x/", "Not an HTTP URL"),
    (b"a" * 64 + b"://x/", "Not an HTTP URL"),
    (b"http:/x", "Absolute HTTP URL requires `//' after `http:'"),
    (b"https:x", "Absolute HTTP URL requires `//' after `http:'"),
    (b"http://", "HTTP URL does not allow empty host identifier"),
    (b"http:///x", "HTTP URL does not allow empty host identifier"),
    (b"http://:80/", "HTTP URL does not allow empty host identifier"),
    (b"http://u:p@/", "HTTP URL does not allow empty host identifier"),
    (b"http://h/a b", "Path component contains invalid character ' '"),
    (b"http://h/a\rb", "Path component contains invalid character 0x0d"),
    (b"http://h/a\x7fb", "Path component contains invalid character 0x7f"),
    (b"http://h/\xc3\xa4", "Path component contains invalid character 0xc3"),
    (b'http://h/"', "Path component contains invalid character '\"'"),
    (b"http://h/?a b", "Query component contains invalid character ' '"),
    (b"http://h/#frag", "URL fragment not allowed for HTTP URL in this context"),
    (b"http://h/#", "URL fragment not allowed for HTTP URL in this context"),
    (b"http://h/#a b", "Fragment component contains invalid character ' '"),
    (b"http://h:0/", "Invalid port number"),
    (b"http://h:65536/", "Invalid port number"),
    (b"http://h:99999/", "Invalid port number"),
    (b"http://h:" + b"9" * 5000 + b"/", "Invalid port number"),
    (b"http://h:80x/", "Invalid host port"),
    (b"http://h:-1/", "Invalid host port"),
    (b"http://[::1", "Expecting ']' at end of IP-literal"),
    (b"http://[]/", "Empty IPv6 host address"),
    (b"http://[v1.x]/", "Future IP host address 'v1.x' not supported"),
    (b"http://[::zz]/", "Invalid IPv6 host address '::zz'"),
    (b"http://[fe80::1%25eth0]/", "Invalid IPv6 host address 'fe80::1%25eth0'"),
    (b"http://[1.2.3.4]/", "Invalid IPv6 host address '1.2.3.4'"),
    (b"http://a_b/", "Invalid host identifier"),
    (b"http://-a/", "Invalid host identifier"),
    (b"http://a-/", "Invalid domain label in hostname"),
    (b"http://a-.b/", "Invalid domain label in hostname"),
    (b"http://a..b/", "Invalid host identifier"),
    (b"http://h\xc3\xa4/", "Invalid host identifier"),
    (b"http://h /", "Invalid host identifier"),
    (b"http://h\r\nX: y/", "Invalid host identifier"),
    (b"http://%20/", "Invalid host identifier"),
    (b"http://1.2.3.4.5/", "Invalid host identifier"),
    (b"http://h/%zz", "Expecting hex digit after '%', but found 'z'"),
    (b"http://h/%4z", "Expecting hex digit after '%4', but found 'z'"),
    (b"http://h/%\xff\xff", "Expecting hex digit after '%', but found 0xff"),
    (b"http://h/%00", "Percent encoding is not allowed to encode NUL character"),
    (b"http://h/?%00", "Percent encoding is not allowed to encode NUL character"),
    (b"http://u%00@h/", "Percent encoding is not allowed to encode NUL character"),
    (b"http://h/%", "Unexpected URI boundary after '%'"),
    (b"http://h/%4", "Unexpected URI boundary after '%'"),
    (b"http://u%3a:p@h/", "HTTP URL does not allow ':' in its user name"),
]


@pytest.mark.parametrize(("text", "detail"), COMPLAINTS, ids=lambda value: str(value)[:40])
def test_url_that_is_none_is_complained_about_as_in_dovecot(text, detail):
    with pytest.raises(UrlError) as caught:
        parse_url(text)
    assert detail == caught.value.detail


def test_dovecot_2_3_does_not_name_the_character():
    with pytest.raises(UrlError) as caught:
        parse_url(b"http://h/a b")
    assert caught.value.detail_23 == "Path component contains invalid character"


#: URL -> (TLS, host, port, authority, target).
GOOD = [
    (b"http://h", (False, b"h", 80, b"h", b"/")),
    (b"https://h", (True, b"h", 443, b"h", b"/")),
    (b"HtTpS://h/", (True, b"h", 443, b"h", b"/")),
    (b"//h/x", (False, b"h", 80, b"h", b"/x")),
    (b"http://h?q=1", (False, b"h", 80, b"h", b"/?q=1")),
    (b"http://h/?", (False, b"h", 80, b"h", b"/?")),
    (b"http://h:80/", (False, b"h", 80, b"h:80", b"/")),
    (b"http://h:00443/", (False, b"h", 443, b"h:443", b"/")),
    (b"http://h:65535/", (False, b"h", 65535, b"h:65535", b"/")),
    (b"http://h:/x", (False, b"h", 80, b"h", b"/x")),
    (b"http://Example.ORG./x", (False, b"Example.ORG", 80, b"Example.ORG", b"/x")),
    (b"http://%41b%2Dc/", (False, b"Ab-c", 80, b"Ab-c", b"/")),
    (b"http://127.0.0.1:81/", (False, b"127.0.0.1", 81, b"127.0.0.1:81", b"/")),
    (b"http://1.2.3.4444/", (False, b"1.2.3.4444", 80, b"1.2.3.4444", b"/")),
    (b"http://256.1.1.1/", (False, b"256.1.1.1", 80, b"256.1.1.1", b"/")),
    (b"http://[::1]:81/x", (False, b"::1", 81, b"[::1]:81", b"/x")),
    (b"http://[::ffff:1.2.3.4]", (False, b"::ffff:1.2.3.4", 80, b"[::ffff:1.2.3.4]", b"/")),
    (b"http://h/a%2Fb%7e/c;p=1?d=%20&e=/?:@", (False, b"h", 80, b"h", b"/a%2Fb%7e/c;p=1?d=%20&e=/?:@")),
    (b"http://h/a/./b/../c", (False, b"h", 80, b"h", b"/a/c")),
    (b"http://h/../../a", (False, b"h", 80, b"h", b"/a")),
    (b"http://h/a/..", (False, b"h", 80, b"h", b"/")),
    (b"http://h/a/.", (False, b"h", 80, b"h", b"/a/")),
    (b"http://h//a//b", (False, b"h", 80, b"h", b"//a//b")),
    (b"http://h/...", (False, b"h", 80, b"h", b"/...")),
    (b"http://h/%2e%2e/a", (False, b"h", 80, b"h", b"/%2e%2e/a")),
    (b"http://h/x\0y z", (False, b"h", 80, b"h", b"/x")),
]


@pytest.mark.parametrize(("text", "expected"), GOOD, ids=lambda value: str(value)[:40])
def test_url_is_taken_apart(text, expected):
    url = parse_url(text)
    assert expected == (url.is_tls, url.host, url.port, url.authority, url.target)


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        pytest.param(b"http://h/", None, None, id="none"),
        pytest.param(b"http://u@h/", b"u", None, id="user only"),
        pytest.param(b"http://u:@h/", b"u", b"", id="empty password"),
        pytest.param(b"http://:p@h/", b"", b"p", id="empty user"),
        pytest.param(b"http://u%40x:p%3A%2f@h/", b"u@x", b"p:/", id="percent-encoded"),
        pytest.param(b"http://u:p:q@h/", b"u", b"p:q", id="colon in the password"),
    ],
)
def test_credentials_are_decoded(text, user, password):
    url = parse_url(text)
    assert (user, password) == (url.user, url.password)


def test_credentials_may_be_forbidden():
    with pytest.raises(UrlError, match=r"^HTTP URL does not allow `userinfo@' part$"):
        parse_url(b"http://u:p@h/", allows_userinfo=False)


def test_password_is_not_in_the_repr():
    assert "secret" not in repr(parse_url(b"http://u:secret@h/"))


def test_origin_and_authority_leave_credentials_out():
    assert parse_url(b"https://u:secret@h:8443/x").origin == b"https://h:8443"


#: Pieces that lead deep into the parser.
PIECES = st.sampled_from(
    [b"http://", b"https:", b"//", b"h", b"[::1]", b":", b"80", b"/", b"..", b"?", b"#", b"%", b"@", b"u:p"]
)
TEXTS = st.one_of(
    st.binary(max_size=60),
    st.lists(st.one_of(PIECES, st.binary(max_size=3)), max_size=12).map(b"".join),
    st.binary(max_size=30).map(lambda tail: b"http://h/" + tail),
    st.binary(max_size=30).map(lambda tail: b"http://" + tail),
)


@given(TEXTS)
def test_whatever_is_given_either_is_refused_or_is_safe_on_the_wire(text):
    try:
        url = parse_url(text)
    except UrlError:
        return
    assert url.host
    assert url.target.startswith(b"/")
    assert 1 <= url.port <= 65535
    assert all(0x20 < byte < 0x7F for byte in url.host + url.authority + url.target)


@given(TEXTS)
def test_a_url_that_was_read_reads_the_same_again(text):
    try:
        url = parse_url(text)
    except UrlError:
        return
    again = parse_url(url.origin + url.target)
    assert (url.origin, url.target, url.host, url.port) == (again.origin, again.target, again.host, again.port)
