"""The same Lua against the same server through Debian's Dovecot 2.3.19 and through the pool in dialect 2.3.

Compared are what Lua sees (values, error texts, statuses, reasons, headers, payloads) and the bytes that the server
received, clocks apart. What differs stands in `KNOWN_DIFFERENCES`, which must be exact.
"""

import contextlib
import re
from collections.abc import Callable
from typing import NamedTuple

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, ScriptSettings, Settings
from tests.acceptance.dovecot import Dovecot
from tests.integration.http.fault_server import FaultServer, answer, content_length

# Not asked, because Dovecot 2.3.19 dies of them: `event_parent`, forged objects, a second payload, a second submit, use
# after submit, CR, LF or ':' in header names, CR or LF in values, Proxy-Authorization, ':' in a URL's user name.
# Nor what it hangs at: an `Expect` header of the script's own beside a payload.

CALL_LIMIT_S = 30.0

CLIENT = (
    "", "5", "nil", "{}, nil", "{}", "{ user_agent = 5 }", "{ user_agent = {} }", "{ user_agent = false }",
    "{ rawlog_dir = 5 }", "{ max_attempts = '5' }", "{ max_attempts = 1.5 }", "{ max_attempts = -1 }",
    "{ max_attempts = 5.0 }", "{ max_attempts = 4294967295 }", "{ max_attempts = 4294967296 }",
    "{ max_attempts = 1/0 }", "{ max_attempts = {} }", "{ max_attempts = true }", "{ max_redirects = 'x' }",
    "{ max_connect_attempts = -0.5 }", "{ connect_timeout_msecs = '1' }", "{ soft_connect_timeout_msecs = '1' }",
    "{ request_timeout_msecs = '1' }", "{ request_absolute_timeout_msecs = '1' }", "{ max_idle_time_msecs = '1' }",
    "{ connect_backoff_time_msecs = '1' }", "{ connect_backoff_max_time_msecs = '1' }",
    "{ max_auto_retry_delay_secs = '1' }", "{ debug = 1 }", "{ debug = 'yes' }", "{ no_auto_redirect = 0 }",
    "{ no_auto_retry = 'no' }", "{ proxy_url = 'foo' }", "{ proxy_url = 'http://h/a b' }", "{ proxy_url = 5 }",
    "{ event_parent = 'x' }", "{ event_parent = 5 }", "{ event_parent = false }",
    "{ nosuch = 1, [1] = 2, [true] = {} }", "{ debug = 1, user_agent = 5 }",
    "{ max_attempts = 0, request_timeout_msecs = 0 }", "{ auto_retry = 'cow' }",
    "setmetatable({}, { __index = { user_agent = 5 } })",
)  # fmt: skip
REQUEST = (
    "", "{}, nil", "nil", "5", "'x'", "{}", "{ 'http://h/' }", "{ url = {} }", "{ url = true }", "{ url = 5 }",
    "{ url = 'http://h/', method = {} }", "{ url = 'http://h/', method = false }", "{ url = 'http://h/', x = {} }",
    "setmetatable({}, { __index = { url = 'http://h/' } })",
)  # fmt: skip
URLS = (
    "", "foo", "/rel", "5", "//h/x", "ftp://x/", "http:/x", "https:x", "http://", "http:///x", "http://u:p@/",
    "http://:80/", "http://h", "HTTP://h/", "https://h/", "http://h/a b", "http://h/a\\1b", "http://h/\\195\\164",
    "http://h/?a b", "http://h/#", "http://h/#f", "http://h/#a b", "http://h:0/", "http://h:65535/",
    "http://h:65536/", "http://h:99999/", "http://h:80x/", "http://h:/x", "http://[::1", "http://[::1]/", "http://[]/",
    "http://[v1.x]/", "http://[::zz]/", "http://[1.2.3.4]/", "http://a_b/", "http://-a/", "http://a-/", "http://a-.b/",
    "http://a..b/", "http://a.b./", "http://h\\195\\164/", "http://h /", "http://%41%2db/", "http://%20/",
    "http://1.2.3.4.5/", "http://1.2.3.4444/", "http://256.1.1.1/", "http://h/%zz", "http://h/%4z", "http://h/%00",
    "http://h/%", "http://h/%4", "http://h/?%zz", "http://u%00@h/", "http://u@h/", "http://u:p@h/", "http://h/\\0x y",
)  # fmt: skip
METHODS = (
    "r.add_header(5, 'a', 'b')", "r:add_header()", "r:add_header('a')", "r:add_header('a', 'b', nil)",
    "r:add_header({}, {})", "r:add_header('a', nil)", "r:add_header(1, 2)", "r.remove_header(nil, 'a')",
    "r:remove_header()", "r:remove_header(true)", "r:remove_header('nosuch')", "r.set_payload('x', 'a')",
    "r:set_payload()", "r:set_payload('a', true)", "r:set_payload({})", "r:set_payload(nil)", "r.submit(5)",
    "r:submit(1)", "type(r.set_event)", "type(r.get_event)", "getmetatable(r)", "getmetatable(c)", "keys(c)", "keys(r)",
    "keys(r:submit())", "getmetatable(r:submit())", "r:submit().status()", "r:submit().status(5)",
    "r:submit():status(1)", "r:submit():reason(1)", "r:submit().payload('x')", "r:submit():header()",
    "r:submit():header({})", "r:submit():header('a', 'b')", "r:submit().header(true, 'a')",
    "math.type(r:submit():status())",
)  # fmt: skip
#: (options, request, what is done before submit)
SENT = (
    ("", "", ""),
    ("user_agent = 'me/1'", "", ""),
    ("user_agent = 'a\\0b'", "", ""),
    ("", "method = 'get'", ""),
    ("", "method = 'POST'", ""),
    ("", "method = 'PUT'", ""),
    ("", "method = 'DELETE'", ""),
    ("", "method = 'P\\0UT'", ""),
    ("", "method = 'x-odd'", ""),
    ("", "", "r:add_header('X-One', '1') r:add_header('X-Two', '2') r:add_header('x-ONE', '3')"),
    ("", "", "r:add_header('A', '1') r:remove_header('a') r:add_header('B', '2') r:add_header('a', '3')"),
    ("", "", "r:add_header('', 'v') r:add_header('Empty', '') r:add_header('Sp ace', '  v  ')"),
    ("", "", "r:add_header('a\\0b', 'c\\0d') r:add_header(1, 2)"),
    ("", "", "r:set_payload('')"),
    ("", "", "r:set_payload('data')"),
    ("", "method = 'POST'", "r:set_payload('a\\0b')"),
    ("", "method = 'POST'", "r:set_payload('\\0b')"),
    ("", "method = 'PUT'", "r:set_payload(5)"),
    *(
        ("user_agent = 'me'", "method = 'POST'", f"r:add_header('{name}', '{value}') {then}")
        for name, value in (
            ("Host", "other"), ("Date", "now"), ("User-Agent", "you"), ("Connection", "close"),
            ("Authorization", "Basic eA=="), ("Content-Length", "0"),
        )
        for then in ("", f"r:remove_header('{name.lower()}')")
    ),
)  # fmt: skip
#: Path and query -> what is sent of them.
TARGETS = ("", "?q=1", "/?", "/a/../b/./c", "/a/..", "//x//y", "/a;p?b=c&d=/?:@", "/%41", "/a%2Fb", "/%7e", "/?%7e")

#: Path -> what the server does.
ANSWERS = {
    "/plain": answer("200 OK", "X-A:  v1 ", "x-a: v2", "Empty:", payload=b"he\0lo"),
    "/head": answer("200 OK", "X-A: v1", length=5),
    "/404": answer("404 Not Found", payload=b"no"),
    "/500": answer("500 Oops", payload=b"no"),
    "/empty-reason": b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
    "/no-reason": b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    "/204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/304": answer("304 Not Modified", "Location: /x", length=0),
    "/chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
    ),
    "/folded": b"HTTP/1.1 200 OK\r\nX-F: a\r\n  b\r\nContent-Length: 0\r\n\r\n",
    "/100": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(payload=b"after"),
    "/99": answer("99 Low"),
    "/600": answer("600 High"),
    "/both": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "/garbage": b"hello there\r\n\r\n",
    "/bad-header": b"HTTP/1.1 200 OK\r\nBad Header: x\r\nContent-Length: 0\r\n\r\n",
    "/50-headers": answer("200 OK", *(f"X-{number}: {number}" for number in range(49))),
    "/51-headers": answer("200 OK", *(f"X-{number}: {number}" for number in range(50))),
    "/relative": answer("302 Found", "Location: /plain"),
    "/bad-location": answer("302 Found", "Location: http://a_b/"),
    "/no-location": answer("302 Found"),
    "/429": answer("429 Slow", "Retry-After: 1", "Date: Thu, 26 Nov 2026 17:00:00 GMT"),
    "/503-no-date": answer("503 Busy", "Retry-After: 1"),
    "/503": answer("503 Busy", "Date: Thu, 26 Nov 2026 17:00:00 GMT", "Retry-After: 1"),
    "/503-garbage": answer("503 Busy", "Date: Thu, 26 Nov 2026 17:00:00 GMT", "Retry-After: soon"),
    "/408": answer("408 Timeout"),
    "/417": answer("417 No"),
}
#: (options, request and what follows it, path)
ASKED = (
    *(("", "", path) for path in ANSWERS if path != "/head"),
    *(("max_attempts = 2", "", path) for path in ("/500", "/408", "/503-no-date", "/503-garbage", "/429")),
    *(("max_attempts = 2, no_auto_retry = true", "", path) for path in ("/408", "/503", "/drop")),
    *(("max_redirects = 2", "", path) for path in ("/302", "/301", "/307", "/308", "/303")),
    *(("max_redirects = 2", "", path) for path in ("/relative", "/bad-location")),
    *(("max_redirects = 1", "", path) for path in ("/loop", "/no-location", "/304")),
    *(("", "", path) for path in ("/302", "/303", "/loop")),
    *(("no_auto_redirect = true", "", path) for path in ("/302", "/relative")),
    *(("max_redirects = 2", "method = 'POST'", path) for path in ("/302", "/303", "/307")),
    *(("max_redirects = 2", "method = 'POST' | r:set_payload('data')", path) for path in ("/302", "/303", "/307")),
    ("max_redirects = 2", "method = 'POST' | r:add_header('Content-Type', 'x') r:set_payload('data')", "/303"),
    ("max_redirects = 2", "| r:add_header('Authorization', 'x')", "/302"),
    ("", "method = 'HEAD'", "/head"),
    ("", "method = 'head'", "/204"),
    ("", "", "/drop"),
    ("max_attempts = 2", "", "/drop"),
    ("max_attempts = 3", "", "/drop-once"),
    ("", "", "/truncated"),
    ("", "", "/close"),
    ("", "", "/http-1.0"),
    ("max_attempts = 2", "| r:set_payload('data')", "/417"),
)  # fmt: skip
#: Options that end a wait. They come last: after the absolute one Dovecot hangs at whatever it is asked.
TIMEOUTS = (
    "request_timeout_msecs = 300",
    "request_timeout_msecs = 300, max_attempts = 2",
    "request_absolute_timeout_msecs = 300",
)
#: URLs at which nobody answers.
UNREACHABLE = ("http://127.0.0.1:1/", "https://127.0.0.1:1/", "http://nosuch.invalid/")

PRELUDE = """
local cases = {}
local function keys(object)
   local names = {}
   for name, value in pairs(object) do names[#names + 1] = name .. '=' .. type(value) end
   table.sort(names)
   return table.concat(names, ',')
end
local function seen(response)
   return response:status(), response:reason(), response:payload(), response:header('x-a'), response:header('EMPTY'),
      response:header('nosuch'), response:header('x-f'), response:header('Trailer')
end
local function told(...)
   local parts = {}
   for index = 1, select('#', ...) do
      local value = select(index, ...)
      local kind = type(value)
      parts[index] = kind == 'table' and kind or kind .. ':' .. tostring(value)
   end
   local text = table.concat(parts, '|')
   return (text:gsub('.', function(character) return ('%02x'):format(character:byte()) end))
end
local function run(name)
   return told(pcall(cases[name]))
end
function auth_passdb_lookup(request)
   return 1, { nopassword = 'y', answer = 'x' .. run(request.user) }
end
function ask(name)
   return run(name)
end
"""


class Seen(NamedTuple):
    """What came of a case."""

    #: What Lua saw, as one text.
    told: str
    #: What the server received.
    sent: tuple[str, ...]


def bodies(origin):
    """Case -> Lua."""
    # No tail calls: their positions differ for a reason that docs/deviations.md gives.
    found = {f"client({options})": f"local x = dovecot.http.client({options}) return x" for options in CLIENT}
    client = "local c = dovecot.http.client({{ {} }}) "
    plain = client.format("")
    found |= {f"request({request})": f"{plain} local x = c:request({request}) return x" for request in REQUEST}
    found |= {f"url {url}": f"{plain} return c:request({{ url = '{url}' }})" for url in URLS}
    found["pcall(request)"] = f"{plain} return pcall(c.request, c, {{ url = {{}} }})"
    found["request on a number"] = f"{plain} return c.request(5, {{}})"
    request = f"local r = c:request({{{{ url = '{origin}{{}}', {{}} }}}}) "
    for method in METHODS:
        found[method] = plain + request.format("/plain", "") + f"local x = {method} return x"
    for options, given, before in SENT:
        lua = client.format(options) + request.format("/sync", given) + before + " return seen(r:submit())"
        found[f"sent {options} {given} {before}"] = lua
    for target in TARGETS:
        found[f"target {target}"] = plain + request.format(target, "") + "return r:submit():status()"
    for options, given, path in ASKED:
        fields, _, before = given.partition("|")
        lua = client.format(options) + request.format(path, fields) + before + " return seen(r:submit())"
        found[f"asked {path} {options} {given}"] = lua
    for url in UNREACHABLE:
        found[f"unreachable {url}"] = f"{plain} local r = c:request({{ url = '{url}' }}) return seen(r:submit())"
    url = f"('{origin}/plain'):gsub('//', '//u%%40x:p%%3a@', 1)"
    found["credentials"] = f"{plain} local u = {url} return c:request({{ url = u }}):submit():status()"
    for options in TIMEOUTS:
        lua = client.format(options) + request.format("/hang", "") + " return seen(r:submit())"
        found[f"asked /hang {options}"] = lua
    return found


def redirect(server, status, target):
    return answer(f"{status} Moved", f"Location: {server.origin}{target}")


def set_up(server):
    """Say what the server does, each side from the start."""
    server.asked.clear()
    server.scripts.clear()
    for path, script in ANSWERS.items():
        server.on(path, script)
    for status in (301, 302, 303, 307, 308):
        server.on(f"/{status}", taking(redirect(server, status, "/sync")))
    server.on("/loop", redirect(server, 302, "/loop"))
    server.on("/sync", taking(answer(payload=b"ok")))
    server.on(f"{server.origin}/sync", taking(answer(payload=b"ok")))
    server.on(f"{server.origin}/loop", redirect(server, 302, "/loop"))
    server.on("/drop", lambda conversation: conversation.close())
    server.on("/drop-once", lambda conversation: conversation.close(), answer(payload=b"ok"))
    server.on("/hang", lambda conversation: conversation.hang())
    server.on("/truncated", closing(answer(payload=b"abc", length=100)))
    server.on("/close", closing(b"HTTP/1.1 200 OK\r\n\r\nto the end"))
    server.on("/http-1.0", closing(b"HTTP/1.0 200 OK\r\nX-A: old\r\n\r\nto the end"))


def taking(data):
    """Ask for a payload that waits to be asked for, keep it, answer."""

    def take(conversation):
        head = conversation.server.asked[-1]
        if b"\r\nExpect: 100-continue" in head:
            conversation.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            conversation.server.asked[-1] += conversation.read_payload(content_length(head))
        conversation.send(data)

    return take


def closing(data):
    def send_and_close(conversation):
        conversation.send(data)
        conversation.close()

    return send_and_close


def without_clocks(text):
    """Take out what differs from run to run: durations, connection numbers, dates."""
    text = re.sub(r" \(Request queued.*?\)(?=\||$)", " (STATS)", text)
    text = re.sub(r"\d+\.\d{3} secs", "S secs", text)
    text = re.sub(r",id=\d+", ",id=N", text)
    return re.sub(r"\r\nDate: [^\r]*GMT", "\r\nDate: D", text)


def through(server, cases, ask):
    """Ask for every case; `ask` gives the hex text of one."""
    set_up(server)
    found = {}
    for number, case in enumerate(cases):
        before = len(server.asked)
        told = bytes.fromhex(ask(f"c{number}")).decode("latin-1")
        sent = tuple(without_clocks(request.decode("latin-1")) for request in server.asked[before:])
        found[case] = Seen(without_clocks(told), sent)
    return found


@contextlib.contextmanager
def running_dovecot(folder, script):
    path = folder / "script.lua"
    path.write_text(script)
    dovecot = Dovecot(folder, path, blocking=True)
    try:
        yield dovecot
    finally:
        dovecot.close()


@contextlib.contextmanager
def running_dispatcher():
    with EmbeddedServer() as redis:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(redis.url)),
            pool=PoolSettings(workers=1, grace_s=5.0),
        )
        with LocalPool(settings), Dispatcher(settings) as dispatcher:
            yield dispatcher


def of_dovecot(server, cases, folder, script):
    with running_dovecot(folder, script) as dovecot:

        def ask(name):
            (answered,) = dovecot.logins([({"service": "imap"}, f"\0{name}\0x".encode())])
            assert "answer" in answered.fields, f"{list(cases)[int(name[1:])]}: {answered}\n{dovecot.log}"
            return answered.fields["answer"][1:]

        return through(server, cases, ask)


def of_pool(server, cases, path):
    with running_dispatcher() as dispatcher:
        script = Script.from_file(path, ScriptSettings(dialect="2.3", lua="5.4"))

        def ask(name):
            outcome = dispatcher.call(script, "ask", name, deadline_s=CALL_LIMIT_S)
            assert not outcome.error, f"{list(cases)[int(name[1:])]}: {outcome.error}"
            return outcome.values[0].decode()

        return through(server, cases, ask)


class Difference(NamedTuple):
    """Something that Dovecot does and the pool does not."""

    #: Pattern of the cases.
    cases: str
    why: str
    #: (case, what Dovecot does) -> what the pool does instead.
    instead: Callable[[str, Seen], Seen]


def saying(pattern, text):
    return lambda _case, seen: seen._replace(told=re.sub(pattern, lambda _found: text, seen.told))


def sending(pattern, text):
    return lambda _case, seen: seen._replace(sent=tuple(re.sub(pattern, text, request) for request in seen.sent))


def sending_target(case, seen):
    return sending(r"^GET /\S*", f"GET {case.removeprefix('target ')}")(case, seen)


FAILED = "boolean:true|number:9007|string:{}" + "|string:" * 6
KNOWN_DIFFERENCES = (
    Difference(
        r"^asked /(30.|loop)",
        "a redirected request goes out in absolute form",
        sending(r"^(\S+) http://[^/]+", r"\1 "),
    ),
    Difference(
        r"^asked /303 .*set_payload",
        "a 303 takes the payload away and leaves the Expect",
        sending(r"^(GET [^|]*?)Expect: 100-continue\r\n", r"\1"),
    ),
    Difference(
        r"^target /(%41|a%2Fb|%7e)$",
        "2.3 decodes the path and encodes it anew, and so takes %2F for /; 2.4 sends it as it was given",
        sending_target,
    ),
    Difference(r"^keys\(", "Lua code cannot make a userdata", saying("item=userdata", "item=table")),
    Difference(r"^url http://%20/$", "2.3 forgets to say why", saying(r"\(null\)", "Invalid host identifier")),
    Difference(
        r"^asked /both",
        "2.3 takes a response that could be cut in two places, 2.4 refuses it",
        saying(r".+", FAILED.format("Message has both a Transfer-Encoding and a Content-Length header")),
    ),
    Difference(
        r"^asked /51-headers",
        "2.3 has no limit of 50 header fields, 2.4 has",
        saying(r".+", FAILED.format("Failed to parse header: Excessive number of header fields")),
    ),
)


def test_scripts_see_and_send_what_they_do_in_dovecot(tmp_path):
    with FaultServer() as server:
        cases = bodies(server.origin)
        lines = [f"cases.c{number} = function() {lua} end" for number, lua in enumerate(cases.values())]
        theirs = of_dovecot(server, cases, tmp_path, "\n".join([PRELUDE, *lines]))
        ours = of_pool(server, cases, tmp_path / "script.lua")
    needed, expected = set(), {}
    for case, seen in theirs.items():
        expected[case] = seen
        for difference in KNOWN_DIFFERENCES:
            if re.search(difference.cases, case) and difference.instead(case, expected[case]) != expected[case]:
                expected[case] = difference.instead(case, expected[case])
                needed.add(difference.why)
    assert {} == {case: (expected[case], ours[case]) for case in cases if expected[case] != ours[case]}
    assert {difference.why for difference in KNOWN_DIFFERENCES} == needed
