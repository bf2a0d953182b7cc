"""The cases that the differential tests of auth ask both sides, written by hand and multiplied out.

Not asked, because Dovecot 2.3.19's auth process dies of them: passdb codes it does not know (-7, 2, 99), userdb codes
other than 1, -1 and -2, fields whose name is empty (also after `userdb_` and in an import), tables with keys that are
numbers, `delay_until` with a spread of 0, `login_user` in a passdb after which others are asked.
"""

from tests.acceptance.auth_case import Case

CODES = ("1", "0", "-1", "-2", "-3", "-4", "-5", "-6")
USERDB_CODES = ("1", "-1", "-2")
NO_CODES = ("1.0", "1.5", "'1'", "' 1 '", "'0x1'", "'x'", "''", "nil", "true", "{}", "print", "0/0", "1/0")
#: Of those, what becomes the code 0, of which Dovecot's userdb dies.
BECOME_0 = frozenset({"1.5", "0/0", "1/0"})
SECONDS = (
    "''", "'why'", "'k=v k2=v2'", "'k=v nopassword'", "' k=v  k3= '", "{}", "{ k = 'v' }",
    "{ k = 'v', nopassword = '' }", "nil", "true", "5", "1.5", "2.0", "print",
)  # fmt: skip

VALUES = (
    "'v'", "''", "' a b '", "'a=b'", "'\\t\\n'", "'a\\0b'", "'\\195\\164'", "'\\255'", "'\\1t'", "'1'", "2", "2.0",
    "1.5", "-0.0", "0", "-1", "-7.0", "1e15", "1e100", "1/0", "2^53", "-2^63", "math.maxinteger", "math.mininteger",
    "true", "false", "{}", "print", "('x'):rep(2000)",
)  # fmt: skip
KEYS = (
    "k", "1", "K", "a b", "k:default", "k:protected", "k:remove", ":protected", ":remove", "userdb_k", "userdb_uid",
    "reason", "nologin", "nodelay", "login_user", "fail", "noauthenticate", "nopassword", "allow_nets",
    "allow_real_nets", "check_client_fp", "delay_until", "passdb_import", "password_noscheme", "user", "username",
    "domain", "home", "uid", "gid", "tempfail", "userdb_tempfail", "system_user", "userdb_import", "uidgid_file",
    "original_user", "auth_user", "skip_password_check", "pass", "userdb_user", "userdb_system_user",
    "userdb_uidgid_file",
)  # fmt: skip
TEXTS = ("", "v", "1", "yes", "other@example.net", "/", "127.0.0.0/8,local")
#: An empty one kills Dovecot or is a deviation here.
NOT_EMPTY = frozenset({"passdb_import", "userdb_import", "login_user"})

#: String forms, where the order of fields is known.
STRINGS = (
    "user=a username=b", "user=a domain=b", "username=b user=a", "user=a@b username=c", "domain=x username=y",
    "k=1 k=2", "k=1 k:protected=2", "k=1 k:remove", "k:protected=2 k=1", "k=1 k:remove= k:protected=3", "k==v",
    "nopassword password={PLAIN}secret", "password={PLAIN}secret nopassword", "password=secret nopassword=y",
    "password= nopassword", "nopassword password=", "noauthenticate k=v", "nopassword noauthenticate",
    "allow_nets=127.0.0.1 k=v", "allow_nets=local", "fail nopassword", "delay_until=1 nopassword",
    "delay_until=x nopassword", "userdb_user=z nopassword", "nopassword userdb_uid=nobody",
    "nopassword passdb_import=a=1\\tb=2", "nopassword:remove nopassword", "nopassword nopassword:remove",
    "nopassword passdb_import=a=x\\1ty\\tuser=joe", "nopassword userdb_userdb_import=a=1\\tb",
    "nopassword login_user=z", "nopassword user=z login_user=y", "nopassword login_user=jane",
    "nopassword login_user=z auth_user=x", "nopassword original_user=x user=z", "nopassword delay_until=-1",
    "nopassword delay_until=1+4294967296", "nopassword delay_until=1+", "nopassword delay_until=+1",
    "nopassword delay_until=99999999999999999999", "nopassword user=joe fail", "nopassword a=b fail nodelay",
    "password=a password=b nopassword", "password_noscheme=secret", "password=secret password_noscheme=x",
    "password_noscheme={PLAIN}secret password=secret", "nopassword userdb_uid=x userdb_gid=0",
    "nopassword userdb_k:protected=1 userdb_k=2", "nopassword nologin=x k=1",
)  # fmt: skip
NETS = (
    "127.0.0.1", "127.0.0.1/8", "127.0.0.1/33", "127.0.0.1/", "127.1", "127.0.0/24", "0x7f.1", "[127.0.0.1]/8",
    "LOCAL", "local", ",127.0.0.1,", "::1", "::ffff:127.0.0.1", "0.0.0.0/0", "::/0", "127.0.0.1/-1", "127.0.0.1/08",
    "10.0.0.0/8", "10.0.0.0/8,127.0.0.0/8", "x,127.0.0.1", "2130706433", "[::1]/128",
)  # fmt: skip
PASSWORDS = (
    "", "secret", "wrong", "{PLAIN}secret", "{plain}secret", "{PLAIN}wrong", "{PLAIN}", "{", "{PLAIN", "{}", "{}secret",
    "{NOSUCH}secret", "{CLEARTEXT}secret", "{CLEAR}secret", "{PLAIN.b64}c2VjcmV0", "{PLAIN.HEX}736563726574",
    "{PLAIN.hex}zz", "{PLAIN.x}secret", "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", "{PLAIN-MD5}zz",
    "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=", "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
    "{SHA256.hex}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", "{SHA256}short", "{SHA256}!!",
    "{CRYPT}$1$abcdefgh$DsKJwC8Qw/TIwLKkgoIAJ0", "{CRYPT}zz", "{CRYPT}*", "{SHA512-CRYPT}x", "{SHA512-CRYPT}",
    "{BLF-CRYPT}x", "{ARGON2ID}x", "{SSHA}", "{SSHA256}AAAA", "{SMD5}AAAA", "{PBKDF2}x", "{PBKDF2}$1$a$1$b",
    "{CRAM-MD5}zz", "{DIGEST-MD5}zz", "{SCRAM-SHA-1}x", "{SCRAM-SHA-256}x", "{OTP}x", "{NTLM}x", "{LANMAN}x", "{RPA}x",
    "{SKEY}x", "{DES-CRYPT}x", "{MD5}x", "{MD5-CRYPT}x", "{SHA512}x",
)  # fmt: skip
BODIES = (
    "return", "return 1", "return 1, {}, 3", "return 1, nil, { k = 'v' }", "error('no luck')", "error('a\\nb')",
    "error({})", "error()", "error(5)", "error('no position', 0)", "return nope.nope", "return r()",
    "return 1, 'a=' .. {}", "coroutine.yield(1) return 1, 'k=v'",
    "local t = { nopassword = '' } t.t = t return 1, t",
    "return dovecot.auth.PASSDB_RESULT_OK, 'nopassword'",
    "return 1, setmetatable({ nopassword = '' }, { __pairs = error })",
    "r:log_info('i') r:log_warning('w\\0x') r:log_error('e %s') return -2, ''",
    "r:log_info({})", "r.log_info(5, 'x')", "return 1, { nopassword = tostring(r) == '' }",
    "r.user = 'other' return 1, 'nopassword u=' .. r.user",
)  # fmt: skip
VERIFY_BODIES = (
    "return r:password_verify('{PLAIN}secret', 'wrong'), 'nopassword'",
    "return r:password_verify('{NOSUCH}secret', 'wrong'), 'nopassword'",
)  # fmt: skip
REQUEST_BODIES = (
    "return 1, r:password_verify('{PLAIN}secret', 'secret') == 1 and 'nopassword a=1' or 'nopassword a=0'",
    "local _, e = r:password_verify('{SHA256}!!', 'x') return 1, { nopassword = '', e = tostring(e) }",
    "return r:response_from_template('nopassword k=%u')", "return 1, r:response_from_template('nopassword= k=%u bare')",
    "return 1, r:var_expand('%{nosuch}')", "return 1, 'nopassword x=' .. r:var_expand('%u-%n-%d-%s-%l-%r-%p-%m-%c-%k')",
    "return 1, 'nopassword x=' .. r:var_expand('%Uu%%%{rip}%{lport}')",
    "return 1, { nopassword = '', x = r:var_expand('%Uq%{nosuch:x}%{if;%q;eq;a;b;c}%{passdb:k:d}') }",
    "return 1, r:var_expand('%{if;a}')",
)  # fmt: skip
NAMES = (
    "user", "username", "domain", "service", "home", "pid", "mech", "secured", "cert", "lip", "rip", "lport", "rport",
    "local_ip", "remote_ip", "local_port", "remote_port", "real_lip", "real_rip", "real_lport", "real_rport",
    "login_user", "login_username", "login_domain", "session", "orig_user", "orig_username", "orig_domain",
    "original_user", "auth_user", "auth_username", "auth_domain", "domain_first", "domain_last", "master_user",
    "session_pid", "local_name", "client_id", "password", "protocol", "client_pid", "id", "mechanism", "nope",
    "skip_password_check", "passdbs_seen_user_unknown", "passdb.a", "userdb.a", "owner_user",
)  # fmt: skip
#: As user and as password; more than 8 kB is more than a line of Dovecot's protocol holds.
ODD_TEXTS = (
    "a\tb", "a\nb", "a\rb", "a\x01b", "\x01t", "a'b", 'a"b', "a b", " ", "a\\b", "a=b", "%u%{user}", "a%",
    "\udcff\udcfe", "\u00e4", "\x7f", "\x1b[31m", "a/../b", "x" * 64, "x" * 65, "x" * 2000, "{PLAIN}secret", "a,b",
    "<s>", "a)b",
)  # fmt: skip
ECHO = "r:log_info('seen') return 1, { nopassword = '', u = r.user, p = tostring(r.password), d = tostring(r.domain) }"
CLIENT = (("lip", "127.0.0.1"), ("rip", "127.0.0.1"), ("lport", "143"), ("rport", "50000"), ("local_name", "m.example"))
USERDB_TEXTS = (
    "uid=root gid=daemon home=/x bare", "uid=007 gid=2147483647", "uid=2147483648", "uid=4294967295", "uid=+5",
    "uid=0x5", "gid=-2", "gid=99999999999999999999", "gid=nosuch", "tempfail reason=why", "reason=why",
    "tempfail=no a=b", "uidgid_file=/", "uidgid_file=/nosuch", "uidgid_file=/%{if;%u;eq;jane;tmp;no}",
    "uidgid_file=/%{nosuch}", "uidgid_file=", "user=joe uidgid_file=/%u", "system_user=x",
    "userdb_import=a=1\\tb=x\\1ty\\tuid=root", "userdb_import=tempfail", "userdb_import=user=joe\\tk:protected=1",
    "user=joe", "username=joe", "username=joe@x", "domain=x", "domain= a=b", "username=", "user=",
    "k=1 k:protected=2 k:remove", "k:protected=1 k:protected=2", "k:default=1", "password=x nopassword",
    "allow_nets=10.0.0.0/8 fail nologin login_user=x", "master_user=z", "uid=5 uid:protected=6",
    "uid:protected=nosuch", "uid=5 uid:remove", "home=/%u", "user=a domain=b username=c",
)  # fmt: skip


def passdb_cases():
    """Cases of both passdb functions: every body once, and what renames also for a user with a domain."""
    for body in dict.fromkeys(_passdb_bodies()):
        yield Case(body)
        if any(name in body for name in ("user", "domain")):
            yield Case(body, user="jane@example.org")
    yield from (Case(f"return 1, 'nopassword allow_nets={nets}'", parameters=CLIENT) for nets in NETS)
    yield from _request_cases("nopassword")
    yield from (Case(ECHO, user=odd) for odd in ODD_TEXTS)
    yield from (Case(ECHO, password=odd) for odd in ("", *ODD_TEXTS))
    yield from (Case("return 1, { password = '{PLAIN}' .. r.password }", password=odd) for odd in ("", *ODD_TEXTS))


def userdb_cases():
    """Cases of auth_userdb_lookup."""
    bodies = dict.fromkeys(_userdb_bodies())
    yield from (Case(body) for body in bodies)
    yield from (Case(body, user="jane@example.org@x") for body in bodies if "user" in body or "domain" in body)
    yield from _request_cases("userdb")
    yield from (Case("return 1, { home = '/h/' .. r.user }", user=odd) for odd in ODD_TEXTS if len(odd) < 500)


def _passdb_bodies():
    yield from BODIES + VERIFY_BODIES
    yield from (f"return {code}, {second}" for code in CODES for second in SECONDS)
    yield from (f"return {code}, {second}" for code in NO_CODES for second in ("{ nopassword = '' }", "'nopassword'"))
    yield from (f"return 1, {{ nopassword = '', k = {value} }}" for value in VALUES)
    yield from (f"return 1, {{ nopassword = {value} }}" for value in VALUES)
    yield from (f"return 1, {{ ['{key}'] = '{value}', password = 'secret' }}" for key, value in _fields())
    yield from (f"return 1, 'nopassword {key}={value}'" for key, value in _fields())
    yield from (f"return 1, '{form}'" for form in STRINGS)
    yield from (f"return 1, {{ password = '{password}' }}" for password in PASSWORDS)
    yield from (f"return 1, 'password={password}'" for password in PASSWORDS)


def _userdb_bodies():
    yield from BODIES
    yield from (f"return {code}, {second}" for code in USERDB_CODES for second in SECONDS)
    yield from (f"return {code}, {second}" for code in NO_CODES if code not in BECOME_0 for second in ("{}", "'a=b'"))
    yield from (f"return 1, {{ k = {value} }}" for value in VALUES)
    yield from (f"return 1, {{ uid = {value} }}" for value in VALUES)
    yield from (f"return 1, {{ ['{key}'] = '{value}', a = 'b' }}" for key, value in _fields())
    yield from (f"return 1, '{form}'" for form in USERDB_TEXTS)


def _fields():
    return ((key, value) for key in KEYS for value in TEXTS if value or key not in NOT_EMPTY)


def _request_cases(word):
    """What the request object gives, with and without a client that is known."""
    variables = (f"return 1, {{ {word} = '', v = '<' .. tostring(r.{name}) .. '>' }}" for name in NAMES)
    for body in (*variables, *REQUEST_BODIES):
        yield Case(body)
        yield Case(body, user="jane@example.org@x", parameters=CLIENT)
