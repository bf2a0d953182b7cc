"""The commands with marked secrets: right and wrong ones, wrong settings, and servers of their own."""

import signal

from tests.acceptance.leak_places import processes_below
from tests.acceptance.leak_site import SCRIPT


def use_commands(site):
    """The commands that are given secrets, right ones and wrong ones, on a pool with our key and another."""
    markers = site.markers
    assert 0 == site.command("run", "app", "size", markers["argument of run"]).code
    assert 0 == site.command("run", "--setting", f"secret={markers['option of run']}", SCRIPT, "size", "x").code
    lines = site.folder / "in.jsonl"
    lines.write_text("".join(f'{{"args": ["{markers["argument of batch"]}"]}}\n' for _ in range(3)))
    assert 0 == site.command("batch", "app", "size", lines, "-o", site.folder / "out.jsonl").code
    for script in ("app", SCRIPT):
        password = markers["password of auth test"]
        assert 0 == site.command("auth", "test", script, "joe", "--password-stdin", stdin=password + "\n").code
    wrong = "x" + markers["wrong password of auth test"]
    info = ("-x", f"client_id={markers['auth info']}")
    assert 1 == site.command("auth", "test", "app", "joe", *info, "--password-stdin", stdin=wrong + "\n").code
    chained = ("--then", SCRIPT, "--password-stdin")
    assert 1 == site.command("auth", "test", "app", "joe", *chained, stdin=wrong + "\n").code
    site.command("auth", "lookup", "app", "joe")
    locked = markers["password under another key"]
    other = site.folder / "other.toml"
    site.command("auth", "test", "app", "joe", "--password-stdin", config=other, stdin=locked + "\n")
    assert 0 == site.command("pw", "-s", "SHA512-CRYPT", stdin=markers["password of pw"] + "\n").code
    site.command("pw", "-t", "{SHA}no", stdin=markers["password of pw"] + "\n")
    for arguments in (("check-config",), ("check-config", "--json"), ("status",), ("status", "--json")):
        assert 0 == site.command(*arguments).code


def use_auth_commands(site):
    """Lookups and lists, and passwords that come in a file."""
    password = site.folder / "password"
    password.write_text(site.markers["password in a file"] + "\n")
    assert 0 == site.command("auth", "test", "app", "joe", "--password-file", password).code
    assert 1 == site.command("auth", "test", "users", "joe", "--password-file", password).code
    stored = site.markers["setting of a script"]
    for flags in ((), ("--json",)):
        assert 0 == site.command("auth", "test", "users", "joe", "--password-stdin", *flags, stdin=stored + "\n").code
        assert 0 == site.command("auth", "lookup", "users", "joe", *flags).code
        assert 0 == site.command("auth", "user", "users", "joe", *flags).code
        assert 0 == site.command("auth", "users", "users", *flags).code
    shown = site.command("auth", "lookup", "users", "joe", "--show-passwords", is_shown=True)
    assert stored in shown.out
    assert 67 == site.command("auth", "user", "users", "unknown").code


def use_bad_input(site):
    """Input that cannot be used is refused without being repeated."""
    markers = site.markers
    refused = markers["argument that is no JSON"]
    assert 2 == site.command("run", "app", "size", "--arg-json", f'{{"{refused}": ').code
    lines = site.folder / "bad.jsonl"
    text = markers["line that is no call"]
    lines.write_text(f'{{"args": ["{text}"\n{text}\n{{"args": "{text}"}}\n{{"args": [], "argz": "{text}"}}\n[{text}]\n')
    assert 1 == site.command("batch", "app", "size", lines, "-o", site.folder / "bad.out").code
    site.seen["outcomes of bad lines"] = (site.folder / "bad.out").read_bytes()
    table = site.folder / "bad.csv"
    table.write_text(f'id,a\n1,"{markers["field of a table"]}\n2,{markers["field of a table"]},x\n')
    assert 1 == site.command("batch", "app", "size", table, "-o", site.folder / "bad2.out").code
    site.seen["outcomes of a bad table"] = (site.folder / "bad2.out").read_bytes()
    for scheme in ("SHA512-CRYPT", "SCRAM-SHA-256", "BLF-CRYPT", "NOSUCH", "ARGON2ID"):
        hashed = f"{{{scheme}}}{markers['hash that cannot be used']}"
        assert site.command("pw", "-t", "-", stdin=f"{hashed}\n{markers['password of pw']}\n").code in {1, 2}


def use_bad_settings(site):
    """Settings that cannot be used are named, not shown."""
    secret = site.markers["secret in bad settings"]
    texts = (
        f'key = "{secret}"',
        f'key = "{secret}',
        f'[redis]\nurl = "redis://joe:{secret}@h:port/0"',
        f'[redis]\nurl = "http://joe:{secret}@h"',
        f'[redis]\nurl = "sentinel://h/s?sentinel_password={secret}&x=1"',
        f'[redis]\nurl = ["redis://joe:{secret}@h"]',
        f'[dicts.d]\nurl = "redis://joe:{secret}@h/0/1"',
        f'[scripts.s]\nfile = "x"\nsettings = {{ secret = ["{secret}"] }}',
    )
    for text in texts:
        path = site.folder / "bad.toml"
        path.write_text(text + "\n")
        assert 78 == site.command("check-config", config=path).code, text
    assert 78 == site.command("-v", "run", SCRIPT, "size", "x", config=path).code
    url = f"redis://joe:{secret}@127.0.0.1:1/0"
    path.write_text(f'key = "{site.markers["key"]}"\n[redis]\nurl = "{url}"\n')
    assert 75 == site.command("status", config=path).code
    assert 75 == site.command("run", SCRIPT, "size", "x", config=path).code
    held = site.folder / "redis-url"
    held.write_text(f"redis://joe:{secret}@h:port")
    path.write_text(f'[redis]\nurl_file = "{held}"\n')
    assert 78 == site.command("check-config", config=path).code


def use_own_servers(site):
    """A private server and its worker, of one command and of `up`."""
    config = site.folder / "private.toml"
    secret = site.markers["setting of a private script"]
    script = f'[scripts.app]\nfile = "{SCRIPT}"\nsettings = {{ secret = "{secret}" }}\n'
    config.write_text(f'[log]\nlevel = "debug"\nformat = "json"\n{script}')
    given = site.markers["argument of a private run"]
    assert 0 == site.command("-v", "run", "app", "size", given, config=config).code
    assert 1 == site.command("-v", "run", "app", "add", given, config=config).code
    up = site.start("-v", "--config", config, "up", "--workers", "1", folder=site.folder)
    up.wait_for("stop    Ctrl-C")
    # How to reach it, for the commands of this user only.
    found = site.folder / "lualoft" / "up.toml"
    (key,) = [line.partition('"')[2].rstrip('"') for line in found.read_text().splitlines() if line.startswith("key")]
    site.markers.add("key of up", key)
    assert 0o600 == found.stat().st_mode & 0o777
    assert 0 == site.command("run", SCRIPT, "size", site.markers["argument of a run on up"], config=found).code
    site.seen |= {f"{place} of up": data for place, data in processes_below(up.process.pid).items()}
    said = up.end(signal.SIGTERM)
    site.seen["output of up"] = f"{said.out}\n{said.err}".encode()
