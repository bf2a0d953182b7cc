import pytest

from dispatcher.protocol.errors import SettingsError
from dispatcher.protocol.redis_address import RedisAddress, at_other_host, parse_redis_url
from dispatcher.protocol.secret import Secret


def parse(text):
    return parse_redis_url(Secret(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("redis://h", RedisAddress(scheme="redis", hosts=(("h", 6379),)), id="host only"),
        pytest.param("redis://h:1/2", RedisAddress(scheme="redis", hosts=(("h", 1),), db=2), id="port and database"),
        pytest.param(
            "redis://h?db=3", RedisAddress(scheme="redis", hosts=(("h", 6379),), db=3), id="database as option"
        ),
        pytest.param("redis://[::1]:1", RedisAddress(scheme="redis", hosts=(("::1", 1),)), id="IPv6"),
        pytest.param("redis://[::1]", RedisAddress(scheme="redis", hosts=(("::1", 6379),)), id="IPv6 without port"),
        pytest.param(
            "redis://me:p%40%3A@h",
            RedisAddress(scheme="redis", hosts=(("h", 6379),), username="me", password=Secret("p@:")),
            id="escaped password",
        ),
        pytest.param(
            "redis://:pw@h",
            RedisAddress(scheme="redis", hosts=(("h", 6379),), password=Secret("pw")),
            id="password only",
        ),
        pytest.param(
            "rediss://h/1?ssl_ca_certs=/ca.pem",
            RedisAddress(scheme="rediss", hosts=(("h", 6379),), db=1, tls_files={"ssl_ca_certs": "/ca.pem"}),
            id="TLS",
        ),
        pytest.param("unix:///run/r.sock", RedisAddress(scheme="unix", path="/run/r.sock"), id="unix"),
        pytest.param(
            "unix:///a%20b?db=1&username=me&password=pw",
            RedisAddress(scheme="unix", path="/a b", db=1, username="me", password=Secret("pw")),
            id="unix with options",
        ),
        pytest.param(
            "sentinel://h/svc",
            RedisAddress(scheme="sentinel", hosts=(("h", 26379),), service="svc"),
            id="one sentinel",
        ),
        pytest.param(
            "sentinel://me:pw@a:1,b,[::1]:2/svc?db=4&sentinel_password=sp",
            RedisAddress(
                scheme="sentinel",
                hosts=(("a", 1), ("b", 26379), ("::1", 2)),
                service="svc",
                db=4,
                username="me",
                password=Secret("pw"),
                sentinel_password=Secret("sp"),
            ),
            id="several sentinels",
        ),
        pytest.param(
            "sentinel://h/svc?sentinel_username=su",
            RedisAddress(scheme="sentinel", hosts=(("h", 26379),), service="svc", sentinel_username="su"),
            id="user of the sentinels",
        ),
        pytest.param(
            "rediss+sentinel://h/svc?ssl_ca_certs=/ca.pem",
            RedisAddress(
                scheme="rediss+sentinel",
                hosts=(("h", 26379),),
                service="svc",
                has_sentinel_tls=True,
                tls_files={"ssl_ca_certs": "/ca.pem"},
            ),
            id="TLS to both",
        ),
        pytest.param(
            "rediss+sentinel://h/svc?sentinel_tls=no",
            RedisAddress(scheme="rediss+sentinel", hosts=(("h", 26379),), service="svc"),
            id="TLS to the servers only",
        ),
        pytest.param(
            "sentinel://h/svc?sentinel_tls=yes&ssl_ca_certs=/ca.pem",
            RedisAddress(
                scheme="sentinel",
                hosts=(("h", 26379),),
                service="svc",
                has_sentinel_tls=True,
                tls_files={"ssl_ca_certs": "/ca.pem"},
            ),
            id="TLS to the sentinels only",
        ),
    ],
)
def test_address_is_taken_apart(text, expected):
    assert expected == parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "scheme", id="empty"),
        pytest.param("localhost:6379", "scheme", id="no scheme"),
        pytest.param("http://h", "scheme", id="foreign scheme"),
        pytest.param("redis://", "names no host", id="no host"),
        pytest.param("redis://me:pw@", "names no host", id="user but no host"),
        pytest.param("redis://h:0", "from 1 to 65535", id="port 0"),
        pytest.param("redis://h:65536", "from 1 to 65535", id="port too large"),
        pytest.param("redis://h:x", "from 1 to 65535", id="port is no number"),
        pytest.param("redis://h:", "from 1 to 65535", id="port is empty"),
        pytest.param("redis://h:²", "from 1 to 65535", id="port in superscript"),
        pytest.param("redis://h/x", "database", id="database is no number"),
        pytest.param("redis://h/-1", "database", id="negative database"),
        pytest.param("redis://h/1/2", "database", id="two databases"),
        pytest.param("redis://a,b", "only sentinel://", id="two hosts"),
        pytest.param("redis://h?x=1", "takes the options db", id="unknown option"),
        pytest.param("redis://h?db", "NAME=VALUE", id="option without value"),
        pytest.param("redis://h#x", "%23", id="fragment"),
        pytest.param("redis://[::1", "malformed", id="open bracket"),
        pytest.param("redis://[::1]x", "malformed", id="behind the bracket"),
        pytest.param("unix://", "absolute path", id="unix without path"),
        pytest.param("unix:///", "absolute path", id="unix with the root as path"),
        pytest.param("unix://run/r.sock", "absolute path", id="unix with two slashes"),
        pytest.param("sentinel://h", "name of the service", id="no service"),
        pytest.param("sentinel://h/", "name of the service", id="empty service"),
        pytest.param("sentinel://h/a/b", "name of the service", id="two services"),
        pytest.param("sentinel://a,,b/svc", "empty", id="empty host"),
        pytest.param("sentinel://h/svc?sentinel_tls=true", "neither yes nor no", id="TLS neither yes nor no"),
        pytest.param("sentinel://h/svc?ssl_ca_certs=/a", "names files for TLS", id="files without TLS"),
        pytest.param("rediss+sentinel://h", "name of the service", id="no service over TLS"),
        pytest.param("rediss://h?sentinel_tls=yes", "takes the options db", id="sentinel option without one"),
        pytest.param("redis+sentinel://h/svc", "scheme", id="scheme of other software"),
        pytest.param("sentinel:///svc", "names no host", id="no sentinel"),
    ],
)
def test_bad_address_is_refused_with_what_is_allowed(text, words):
    with pytest.raises(SettingsError, match=words) as caught:
        parse(text)
    assert "redis.url" == caught.value.key
    assert "unix:///path" in caught.value.allowed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("redis://me:swordfish@h:1/2", "redis://h:1/2", id="redis"),
        pytest.param("rediss://:swordfish@[::1]", "rediss://[::1]:6379/0", id="rediss"),
        pytest.param("unix:///r.sock?password=swordfish", "unix:///r.sock", id="unix"),
        pytest.param("unix:///r.sock?db=2&password=swordfish", "unix:///r.sock?db=2", id="unix with a database"),
        pytest.param(
            "sentinel://me:swordfish@a,b:1/svc?sentinel_password=swordfish",
            "sentinel://a:26379,b:1/svc?db=0",
            id="sentinel",
        ),
        pytest.param(
            "rediss+sentinel://me:swordfish@a/svc?sentinel_username=u&sentinel_password=swordfish",
            "rediss+sentinel://a:26379/svc?db=0",
            id="sentinel over TLS",
        ),
    ],
)
def test_description_leaves_out_what_is_secret(text, expected):
    address = parse(text)
    assert expected == address.describe()
    assert "swordfish" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "redis://h:1/2",
        "rediss://[::1]:1/0",
        "unix:///r.sock?db=2",
        "sentinel://a:1,b:2/svc?db=0",
        "sentinel://a:1/svc?db=0&sentinel_tls=yes",
        "rediss+sentinel://a:1/svc?db=3",
        "rediss+sentinel://a:1/svc?db=0&sentinel_tls=no",
    ],
)
def test_description_without_secrets_reads_back(text):
    assert text == parse(text).describe()


@pytest.mark.parametrize(
    ("place", "largest", "words"),
    [("redis://h:{}/0", 65_535, "a port is not a number"), ("redis://h/{}", 2**31 - 1, "the database is not a number")],
    ids=["port", "database"],
)
def test_numbers_have_an_end(place, largest, words):
    assert largest in {parse(place.format(largest)).db, parse(place.format(largest)).hosts[0][1]}
    for text in (str(largest + 1), "9" * 5000):
        with pytest.raises(SettingsError, match=words):
            parse(place.format(text))


def test_socket_path_holds_no_nul():
    with pytest.raises(SettingsError, match="absolute path"):
        parse("unix:///tmp/%00x")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:1/2", "redis://other:7/2"),
        ("redis://u:p@h", "redis://u:p@other:7/0"),
        ("redis://:p%40x@h", "redis://:p%40x@other:7/0"),
        ("unix:///s?db=3&username=u&password=p", "redis://u:p@other:7/3"),
        ("rediss://h?ssl_ca_certs=/a%20b", "rediss://other:7/0?ssl_ca_certs=%2Fa+b"),
        ("rediss+sentinel://u:p@h/s?ssl_ca_certs=/a", "rediss://u:p@other:7/0?ssl_ca_certs=%2Fa"),
        ("sentinel://h/s?sentinel_tls=yes&ssl_ca_certs=/a", "redis://other:7/0"),
    ],
    ids=["plain", "user", "password of odd letters", "unix socket", "TLS", "TLS by Sentinel", "TLS of Sentinels"],
)
def test_other_server_of_a_cluster_is_reached_alike(url, expected):
    assert Secret(expected) == at_other_host(Secret(url), "other", 7)
    parse_redis_url(at_other_host(Secret(url), "other", 7))


def test_other_server_may_have_an_ipv6_address():
    assert Secret("redis://[::1]:7/0") == at_other_host(Secret("redis://h"), "::1", 7)
