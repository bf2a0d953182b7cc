"""What hypothesis makes up for the differential tests of auth: results of scripts as Lua source, users, clients.

The examples of a strategy are drawn once, from a fixed seed, and asked all together: a Dovecot is started per run, not
per example. Whatever Dovecot 2.3.19 dies of is left out, see auth_cases.
"""

import re

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.acceptance.auth_case import Case
from tests.acceptance.auth_cases import CODES, KEYS, NAMES, NETS, NO_CODES, PASSWORDS, USERDB_CODES

#: Pieces of texts: what means something to Lua, to Dovecot's protocols, to templates, to logs; and bytes.
PIECES = (
    "a", "Z", "0", "7", " ", "=", "%", "%u", "%%", "{", "}", "'", '"', "\\", "/", ",", ":", ";", "@", "+", "-", "<",
    ">", "(", ")", "$", "~", "\x1b", "\x7f", "\u00e4", "\u20ac", "\udcff", "\udc80", "\x01", "\t", "\n", "\r", "\0",
)  # fmt: skip
NO_CONTROL = tuple(piece for piece in PIECES if piece not in "\x01\t\n\r\0")


def texts(pieces, min_size=0):
    return st.lists(st.sampled_from(pieces), min_size=min_size, max_size=8).map("".join)


def lua_string(text):
    """Source of a string."""
    data = text.encode("utf-8", "surrogateescape")
    return '"' + "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03}" for byte in data) + '"'


def _name(key):
    """What a key is called without its suffix."""
    return re.sub(":(default|protected|remove)$", "", key)


def _is_key(key):
    """No key that Dovecot dies of."""
    is_harmless = bool(key) and _name(key) != "userdb_" and not key.startswith("=")
    # Two suffixes are taken off in two processes.
    return is_harmless and _name(key) == _name(_name(key))


KEY = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "", "userdb_"]),
    st.sampled_from([*KEYS, "a", "b"]) | texts(tuple(piece for piece in NO_CONTROL if piece != "="), 1),
    st.sampled_from(["", "", "", ":default", ":protected", ":remove"]),
).filter(_is_key)

IMPORT = st.lists(
    st.sampled_from(
        ["a=1", "b", "user=joe", "uid=5", "uid=nosuch", "tempfail", "k:protected=2", "k:remove", "domain=x", "c=a=b"],
    ),
    min_size=1,
    max_size=3,
).map("\t".join)

TEXT = texts(PIECES) | st.sampled_from(["x" * 700, "yes", "no", "1"])

#: Field -> its values, where any text would be refused or would not be the same for both sides.
FIELD_VALUES = {
    "allow_nets": st.sampled_from(NETS).map(lambda nets: nets.replace(" ", ",")) | texts(NO_CONTROL),
    "allow_real_nets": st.sampled_from(NETS),
    "passdb_import": IMPORT,
    "userdb_import": IMPORT,
    "userdb_userdb_import": IMPORT,
    "login_user": texts(NO_CONTROL, 1),
    "delay_until": st.sampled_from(["0", "1", "1+5", "-1", "1+x", "x", "1e5", "99999999999", " 1", "1+99999999999"]),
    "uidgid_file": st.sampled_from(["/", "/no", "/%u/no", "/%{if;%n;eq;jane;tmp;no}", "/%{no}", "/\u00e4", "/a b"]),
    "password": st.sampled_from(PASSWORDS) | texts(PIECES),
    "uid": st.sampled_from(["0", "00", "2147483647", "2147483648", "root", "nosuch", "-1", "", "1.0", "\u0661", "5 "]),
}
FIELD_VALUES |= {"gid": FIELD_VALUES["uid"]}
FIELD_VALUES |= {f"userdb_{name}": FIELD_VALUES[name] for name in ("uid", "gid", "uidgid_file")}


def _value(key):
    name = _name(key)
    if name.startswith("userdb_userdb_"):
        # The fields of a userdb whose names happen to begin that way, but for the import.
        return IMPORT if name == "userdb_userdb_import" else TEXT
    return FIELD_VALUES.get(name, TEXT)


NUMBERS = ("0", "7", "-1", "1.5", "-0.0", "1e15", "2^53", "-2^63", "1/0", "0/0", "math.mininteger", "5 // 1.0")
OTHERS = ("true", "false", "nil", "{}", "{ {} }", "print", "r", "io.stdout")
#: Fields that take any value; the others are given texts of theirs.
ANY_VALUE = frozenset(KEYS) - FIELD_VALUES.keys()

PAIR = KEY.flatmap(lambda key: st.tuples(st.just(key), _value(key)))


#: Of each of these groups, one field reads or writes what another one does.
ENTANGLED = (
    re.compile("user|username|domain|login_user|uidgid_file|uid|gid"),
    re.compile("password|password_noscheme|nopassword|noauthenticate"),
)


def _has_one_meaning(pairs, extra):
    """Is it the same in which order a table's keys come? That is Lua's secret."""
    names = [_name(key) for key, _ in pairs] + [part.partition(" ")[0] for part in extra]
    if any(name.endswith("_import") for name in names):
        # It may set any field.
        return len(pairs) == 1
    bare = [name.removeprefix("userdb_") for name in names]
    return len(names) == len(set(names)) and all(
        sum(bool(group.fullmatch(name)) for name in bare) <= 1 for group in ENTANGLED
    )


@st.composite
def tables(draw, extra):
    """A table of fields."""
    parts, more = [], draw(st.sampled_from(extra))
    for key, value in draw(st.lists(PAIR, min_size=1, max_size=4).filter(lambda pairs: _has_one_meaning(pairs, more))):
        source = lua_string(value)
        if key in ANY_VALUE and draw(st.booleans()):
            source = draw(st.sampled_from(NUMBERS + OTHERS))
        parts.append(f"[{lua_string(key)}] = {source}")
    return "{ " + ", ".join([*parts, *more]) + " }"


def strings(extra):
    """The form `key=value key …`."""
    words = st.one_of(
        PAIR.filter(lambda pair: " " not in pair[0]).map(lambda pair: f"{pair[0]}={pair[1].replace(' ', '_')}"),
        KEY.map(lambda key: key.replace(" ", "_")).filter(lambda key: _value(key) is TEXT),
    )
    lists = st.lists(words, max_size=4)
    return st.builds(lambda given, more: lua_string(" ".join([*given, *more])), lists, st.sampled_from(extra))


#: Codes whose string holds fields.
TAKES_FIELDS = frozenset({"1", "-6", "1.0", "'1'", "' 1 '", "'0x1'"})


def bodies(codes, tables_end, strings_end):
    """What a function does."""
    second = st.one_of(
        tables(tables_end),
        tables(tables_end),
        strings(strings_end),
        st.sampled_from(NUMBERS + OTHERS[:4]),
    )
    failing = texts(PIECES).map(lua_string) | st.sampled_from([*NUMBERS, "{}", "nil", "true"])
    seen = st.sampled_from(NAMES).map("tostring(r.{})".format) | st.sampled_from(
        ["r:var_expand('%Uu|%n|%d|%{rip}|%{orig_user}|%{client_id}')", "r.user .. '|' .. tostring(p)"],
    )
    shown = "{{ {0} v = {1} }}".format
    word = tables_end[0][0] + "," if tables_end[0] else ""
    return st.one_of(
        st.builds("return 1, {}".format, second),
        st.builds("return 1, {}".format, second),
        st.builds("return {}, {}".format, st.sampled_from(codes), second),
        st.builds(
            "return {}, {}".format, st.sampled_from([code for code in codes if code not in TAKES_FIELDS]), failing
        ),
        st.builds("return 1, {}".format, seen.map(lambda source: shown(word, source))),
        st.builds("error({})".format, texts(PIECES).map(lua_string)),
        st.builds("r:log_warning({}) return 1, {}".format, texts(PIECES).map(lua_string), second),
    )


USER = st.one_of(
    st.sampled_from(["jane", "jane@example.org", "jane@a@b", "@", "a@", "@b", "x" * 100, "J\u00e4ne@\u00e4", "root"]),
    # Dovecot's worker protocol escapes the byte 1 twice where a script renames such a user.
    texts(tuple(piece for piece in PIECES if piece not in "\0\x01"), 1),
)
ADDRESSES = ("127.0.0.1", "10.0.0.7", "255.255.255.255", "::1", "2001:db8::7", "::ffff:127.0.0.1")
CLIENT = st.fixed_dictionaries(
    {},
    optional={
        "lip": st.sampled_from(ADDRESSES),
        "rip": st.sampled_from(ADDRESSES),
        "real_rip": st.sampled_from(ADDRESSES),
        "lport": st.sampled_from(["1", "143", "65535"]),
        "rport": st.sampled_from(["1", "50000"]),
        "service": st.sampled_from(["imap", "smtp", "a b", "\u00e4"]),
        "local_name": texts(NO_CONTROL, 1),
        "client_id": texts(NO_CONTROL, 1),
    },
).map(lambda parameters: tuple(sorted(parameters.items())))

PASSDB_CASES = st.builds(
    Case,
    bodies(
        CODES + NO_CODES, [["nopassword = ''"], ["password = 'secret'"], []], [["nopassword"], ["password=secret"], []]
    ),
    USER,
    st.sampled_from(["secret", "secret", "{PLAIN}secret"]) | texts(tuple(piece for piece in PIECES if piece != "\0")),
    CLIENT,
)
USERDB_CASES = st.builds(Case, bodies(USERDB_CODES, [[], ["zz = 'b'"]], [[], ["zz=b"]]), USER, st.just(""), CLIENT)


def examples(strategy, count):
    """That many examples, always the same, without repetitions."""
    drawn = {}

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(example):
        drawn[example] = None

    draw()
    return tuple(drawn)
