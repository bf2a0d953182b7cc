import click
import pytest

from dispatcher.cli.auth.auth_info import parse_pair

#: The names that doveadm-auth(1) lists, and the variables of Dovecot 2.4 that they are.
OF_DOVEADM = {
    "service": "protocol",
    "lip": "local_ip",
    "rip": "remote_ip",
    "lport": "local_port",
    "rport": "remote_port",
    "real_lip": "real_local_ip",
    "real_rip": "real_remote_ip",
    "real_lport": "real_local_port",
    "real_rport": "real_remote_port",
    "local_name": "local_name",
    "client_id": "client_id",
    "session": "session",
}


def value_for(name):
    return "192.0.2.1" if name.endswith("ip") else "143"


@pytest.mark.parametrize("name", OF_DOVEADM)
def test_name_of_doveadm_is_taken(name):
    assert (OF_DOVEADM[name], value_for(name)) == parse_pair(f"{name}={value_for(name)}")


@pytest.mark.parametrize("name", sorted(set(OF_DOVEADM.values()) | {"mechanism", "client_pid", "ssl_ja3_hash"}))
def test_name_of_24_is_taken(name):
    value = value_for(name)
    assert (name, value) == parse_pair(f"{name}={value}")


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        pytest.param("session=a=b", ("session", "a=b"), id="equals sign in the value"),
        pytest.param("session=", ("session", ""), id="empty value"),
        pytest.param("rip=2001:db8::1", ("remote_ip", "2001:db8::1"), id="IPv6"),
        pytest.param("rport=0", ("remote_port", "0"), id="port 0"),
        pytest.param("rport=65535", ("remote_port", "65535"), id="largest port"),
    ],
)
def test_value_is_taken(pair, expected):
    assert expected == parse_pair(pair)


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        pytest.param("hunter2", "auth info is written KEY=VALUE", id="no equals sign"),
        pytest.param("=hunter2", "auth info is written KEY=VALUE", id="no name"),
        pytest.param("", "auth info is written KEY=VALUE", id="empty"),
        pytest.param("remot_ip=hunter2", "no script reads 'remot_ip'; did you mean remote_ip", id="misspelt"),
        pytest.param("RIP=hunter2", "did you mean rip", id="upper case"),
        pytest.param("zzzzz=hunter2", "no script reads 'zzzzz'; known: ", id="like no other"),
        pytest.param("password=hunter2", "password cannot be set: the password is asked for", id="password"),
        pytest.param("user=hunter2", "user cannot be set: the user is the argument USER", id="user"),
        pytest.param("rip=hunter2", "the value of rip is no IP address", id="no address"),
        pytest.param("rip=", "the value of rip is no IP address", id="empty address"),
        pytest.param("rport=-1", "the value of rport is no port", id="port below 0"),
        pytest.param("rport=65536", "the value of rport is no port", id="port too large"),
        pytest.param(f"rport={'9' * 10_000}", "the value of rport is no port", id="port of many digits"),
        pytest.param("rport=٣", "the value of rport is no port", id="digits of another script"),
    ],
)
def test_what_means_nothing_is_told_without_its_value(pair, told):
    with pytest.raises(click.BadParameter) as raised:
        parse_pair(pair)
    assert told in raised.value.message
    assert "hunter2" not in raised.value.message
