"""The users of config/redis/users.acl on a test's own server, so that what a role lacks fails the tests.

Each role's password is its name; the server's `default` user stays what the tests look with.
"""

import hashlib
from pathlib import Path

from msgspec.structs import replace

from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.secret import Secret

ACL_FILE = Path(__file__).parents[1] / "config" / "redis" / "users.acl"
ROLES = ("dispatcher", "worker", "monitor")


def password_hash(role):
    return hashlib.sha256(role.encode()).hexdigest()


def acl_text():
    """Return the file with the passwords filled in."""
    text = ACL_FILE.read_text()
    for role in ROLES:
        text = text.replace(f"#SHA256-OF-THE-{role.upper()}-PASSWORD", f"#{password_hash(role)}")
    return text


def define_users(redis):
    """Make the users on a running server."""
    for line in acl_text().splitlines():
        if line.startswith("user lualoft-"):
            redis.execute_command("ACL", "SETUSER", *line.split()[1:])


def as_role(settings, role):
    """Return settings whose Redis address names a role's user."""
    url = f"{settings.redis.url.reveal()}?username=lualoft-{role}&password={role}"
    return replace(settings, redis=replace(settings.redis, url=Secret(url)))


def denials(settings):
    """Return what the roles were refused: (user, command or key)."""
    with connect_sync(settings.redis) as redis:
        log = redis.execute_command("ACL", "LOG", "100")
    return [entry for entry in map(_denial, log) if entry[0].startswith("lualoft-")]


def _denial(entry):
    if not isinstance(entry, dict):
        entry = dict(zip(entry[::2], entry[1::2], strict=True))
    texts = {_text(key): _text(value) for key, value in entry.items()}
    return texts["username"], texts["reason"], texts["object"]


def _text(value):
    return value.decode() if isinstance(value, bytes) else value
