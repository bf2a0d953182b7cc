"""/etc/hosts and /etc/resolv.conf as the C library reads them: hosts(5), resolv.conf(5)."""

import pytest

from dispatcher.protocol.settings import DnsSettings
from workers.dns.system_files import ResolvConf, parse_hosts, parse_resolv_conf, with_settings
from workers.dns.watched_file import WatchedFile


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param("# 10.0.0.1 x\n\n   \n", {}, id="comments and blanks"),
        pytest.param("10.0.0.1\tA b # c\n", {"a": ["10.0.0.1"], "b": ["10.0.0.1"]}, id="aliases in any case"),
        pytest.param("10.0.0.1 a\n::1 a\n10.0.0.1 a\n", {"a": ["10.0.0.1", "::1"]}, id="several lines"),
        pytest.param("10.0.0.1\n", {}, id="no name"),
        pytest.param("nonsense a\n10.0.0.1 b\n", {"b": ["10.0.0.1"]}, id="no address"),
    ],
)
def test_hosts(text, expected):
    assert expected == parse_hosts(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", ResolvConf(("127.0.0.1",), (), 1), id="nothing"),
        pytest.param("nameserver 10.0.0.1\nnameserver ::1\n", ResolvConf(("10.0.0.1", "::1")), id="servers"),
        pytest.param("nameserver ns.example\nnameserver\n", ResolvConf(("127.0.0.1",)), id="no address"),
        pytest.param("search a b\nsearch c d\n", ResolvConf(search=("c", "d")), id="the last search"),
        pytest.param("search a b\ndomain c\n", ResolvConf(search=("c",)), id="domain"),
        pytest.param("options timeout:1 ndots:5 rotate\n", ResolvConf(ndots=5), id="ndots"),
        pytest.param("options ndots:99\n", ResolvConf(ndots=15), id="ndots over the limit"),
        pytest.param("options ndots:x ndots:\n", ResolvConf(), id="ndots without a number"),
        pytest.param("; comment\n# comment\nsortlist 1\n", ResolvConf(), id="other lines"),
    ],
)
def test_resolv_conf(text, expected):
    assert expected == parse_resolv_conf(text)


SYSTEM = ResolvConf(("10.0.0.1",), ("system.example",), 5)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(DnsSettings(), SYSTEM, id="nothing set"),
        pytest.param(DnsSettings(search=["a"]), ResolvConf(("10.0.0.1",), ("a",), 5), id="search only"),
        pytest.param(DnsSettings(servers=["10.0.0.2:54"]), ResolvConf(("10.0.0.2:54",), (), 1), id="servers only"),
        pytest.param(
            DnsSettings(servers=["10.0.0.2"], search=["a"], ndots=2), ResolvConf(("10.0.0.2",), ("a",), 2), id="all"
        ),
    ],
)
def test_settings_win_over_the_system(settings, expected):
    assert expected == with_settings(SYSTEM, settings)


def test_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "hosts"
    watched = WatchedFile(str(path), parse_hosts, look_every_s=0)
    assert {} == watched.read()
    path.write_text("10.0.0.1 a\n")
    assert {"a": ["10.0.0.1"]} == watched.read()
    path.write_text("10.0.0.1 bb\n")
    assert {"bb": ["10.0.0.1"]} == watched.read()
    path.unlink()
    assert {} == watched.read()


def test_file_that_has_not_changed_is_not_read_again(tmp_path):
    texts = []
    path = tmp_path / "hosts"
    path.write_text("10.0.0.1 a\n")
    watched = WatchedFile(str(path), lambda text: texts.append(text) or len(texts), look_every_s=0)
    assert [watched.read(), watched.read()] == [2, 2]


def test_file_is_not_looked_at_more_often_than_wanted(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("10.0.0.1 a\n")
    watched = WatchedFile(str(path), parse_hosts, look_every_s=3600)
    watched.read()
    path.unlink()
    assert {"a": ["10.0.0.1"]} == watched.read()


def test_file_that_is_a_folder_or_no_text_counts_as_empty_or_bytes(tmp_path):
    assert {} == WatchedFile(str(tmp_path), parse_hosts).read()
    path = tmp_path / "hosts"
    path.write_bytes(b"10.0.0.1 \xff\n" + b"\xfe\x00\xff\n")
    assert "10.0.0.1" in WatchedFile(str(path), parse_hosts).read()[b"\xff".decode("utf-8", "surrogateescape")]
