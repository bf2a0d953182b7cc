"""The standard providers and the filters on points in time."""

from __future__ import annotations

import os
import re
import socket
import time

import pytest

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.expansion import expand
from workers.api.var_expand.providers import standard_providers

#: 2026-02-03 04:05:06.000789012 UTC
NOW_NS = 1_770_091_506_000_789_012
FIELDS = {b"string": b"event", b"magic": b"42"}


@pytest.fixture
def providers():
    environment = {b"USER": b"alice", b"NCPU": b"7", b"DOVECOT_HOSTNAME": b"mail"}
    return standard_providers(environment, FIELDS.get, lambda: NOW_NS)


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


VALUES = [
    (b"%{process:pid}", b"%d" % os.getpid()),
    (b"%{process:uid}", b"%d" % os.geteuid()),
    (b"%{process:gid}", b"%d" % os.getegid()),
    (b"%{system:cpu_count}", b"7"),
    (b"%{system:hostname}", b"mail"),
    (b"%{system:os}", os.uname().sysname.encode()),
    (b"%{system:os-version}", os.uname().release.encode()),
    (b"%{dovecot:name}", b"Dovecot"),
    (b"%{dovecot:version}", b"2.4.4"),
    (b"%{env:USER}", b"alice"),
    (b"%{env:missing}", b""),
    (b"%{lookup('env:USER') | upper}", b"ALICE"),
    (b"%{event:string}", b"event"),
    (b"%{event:magic + 1}", b"43"),
    (b"%{event:missing | default}", b""),
    (b"%{date:year}-%{date:month}-%{date:day}", b"2026-02-03"),
    (b"%{time:hour}:%{time:min}:%{time:sec}", b"04:05:06"),
    (b"%{time:minute}%{time:second}", b"0506"),
    (b"%{time:us} %{time:usec}", b"789 789"),
    (b"%{time:unix}", b"1770091506.000789012"),
    (b"%{time:unix | epoch}", b"1770091506"),
    (b"%{time:unix | epoch(unit='ms')}", b"1770091506000"),
    (b"%{time:unix | epoch(unit='us')}", b"1770091506000789"),
    (b"%{time:unix | epoch(unit='ns')}", b"1770091506000789012"),
    (b"%{literal('1770091506') | epoch(unit='ms')}", b"1770091506000"),
    (b"%{literal('1770091506') | from_epoch}", b"1770091506"),
    (b"%{literal('1770091506789') | from_epoch(unit='ms')}", b"1770091506.789000000"),
    (b"%{time:unix | date}", b"2026-02-03"),
    (b"%{time:unix | date('%d.%m.%Y %H:%M')}", b"03.02.2026 04:05"),
    (b"%{time:unix | iso8601}", b"2026-02-03T04:05:06Z"),
    (b"%{literal('-1') | iso8601}", b"1969-12-31T23:59:59Z"),
]


@pytest.mark.parametrize(("template", "expected"), VALUES, ids=[template.decode() for template, _ in VALUES])
def test_value(template, expected, providers):
    assert expected == expand(template, {}, providers)


ERRORS = [
    (b"%{process:nosuch}", b"process: Unsupported field 'nosuch'"),
    (b"%{system:nosuch}", b"system: Unsupported field 'nosuch'"),
    (b"%{dovecot:invalid}", b"dovecot: Unsupported field 'invalid'"),
    (b"%{env:}", b"env: Missing field"),
    (b"%{event:missing}", b"event: No such field 'missing' in event"),
    (b"%{date:hour}", b"date: Unsupported key 'hour'"),
    (b"%{time:year}", b"time: Unsupported key 'year'"),
    (b"%{generate:nosuch}", b"generate: Unsupported key 'nosuch'"),
    (b"%{generate:uuid:nosuch}", b"generate: Unsupported key ':nosuch'"),
    (b"%{env:USER | epoch}", b"epoch: Input is not a number"),
    (b"%{env:USER | from_epoch}", b"from_epoch: Input is not a number"),
    (b"%{env:USER | date}", b"date: Input is not a number"),
    (b"%{time:unix | epoch(unit='h')}", b"epoch: Unsupported unit 'h'"),
    (b"%{time:unix | epoch(fail=1)}", b"epoch: Unsupported key 'fail'"),
    (b"%{literal('9999999999999') | epoch(unit='ns')}", b"epoch: Timestamp out of range"),
    (b"%{literal('9223372036854775807') | iso8601}", b"iso8601: Timestamp out of range"),
    (b"%{time:unix | date('" + b"x" * 257 + b"')}", b"date: Date format is too long"),
]


@pytest.mark.parametrize(("template", "detail"), ERRORS, ids=[template.decode()[:60] for template, _ in ERRORS])
def test_error(template, detail, providers):
    with pytest.raises(VarExpandError) as caught:
        expand(template, {}, providers)
    assert detail == caught.value.detail


SHAPES = [
    (b"%{generate:guid}", rb"[0-9a-f]{20,}mail"),
    (b"%{generate:guid128}", rb"[0-9a-f]{32}"),
    (b"%{generate:uuid}", rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    (b"%{generate:uuid:record}", rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    (b"%{generate:uuid:compact}", rb"[0-9a-f]{12}4[0-9a-f]{19}"),
    (b"%{generate:uuid:microsoft}", rb"\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}"),
]


@pytest.mark.parametrize(("template", "shape"), SHAPES, ids=[template.decode() for template, _ in SHAPES])
def test_generated_value_has_its_shape_and_is_new(template, shape, providers):
    first, second = expand(template, {}, providers), expand(template, {}, providers)
    assert re.fullmatch(shape, first)
    assert first != second


def test_without_overrides_the_system_is_asked():
    result = expand(b"%{system:cpu_count} %{system:hostname}", {}, standard_providers({}))
    assert b"%d %b" % (len(os.sched_getaffinity(0)), socket.gethostname().encode()) == result


def test_without_an_event_there_is_an_error_that_default_catches():
    providers = standard_providers({})
    assert b"" == expand(b"%{event:any | default}", {}, providers)
    with pytest.raises(VarExpandError, match=r"^event: No event available$"):
        expand(b"%{event:any}", {}, providers)
