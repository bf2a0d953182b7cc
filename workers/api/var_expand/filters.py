"""The table of all filters of dialect 2.4."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from workers.api.var_expand import (
    filters_choice,
    filters_code,
    filters_crypt,
    filters_number,
    filters_pattern,
    filters_text,
    filters_time,
)
from workers.api.var_expand.argument import Arguments
from workers.api.var_expand.state import State

Filter: TypeAlias = Callable[[State, Arguments], None]

FILTERS: dict[bytes, Filter] = {
    b"base64": filters_code.encode_base64,
    b"benumber": filters_number.benumber,
    b"calculate": filters_number.calculate,
    b"concat": filters_text.concat,
    b"date": filters_time.date,
    b"decrypt": filters_crypt.decrypt,
    b"default": filters_text.default,
    b"domain": filters_text.domain,
    b"encrypt": filters_crypt.encrypt,
    b"epoch": filters_time.epoch,
    b"escape": filters_text.escape,
    b"from_epoch": filters_time.from_epoch,
    b"hash": filters_code.hash_named,
    b"hex": filters_number.to_hex,
    b"hexlify": filters_code.hexlify,
    b"if": filters_choice.choose_if,
    b"index": filters_text.index,
    b"iso8601": filters_time.iso8601,
    b"ldap_dn": filters_text.ldap_dn,
    b"lenumber": filters_number.lenumber,
    b"lfill": filters_text.lfill,
    b"list": filters_text.join_list,
    b"literal": filters_text.literal,
    b"lookup": filters_text.lookup,
    b"lower": filters_text.lower,
    b"md5": filters_code.hash_with(b"md5"),
    b"regexp": filters_pattern.regexp,
    b"reverse": filters_text.reverse,
    b"rfill": filters_text.rfill,
    b"safe": filters_text.safe,
    b"sha1": filters_code.hash_with(b"sha1"),
    b"sha256": filters_code.hash_with(b"sha256"),
    b"sha384": filters_code.hash_with(b"sha384"),
    b"sha512": filters_code.hash_with(b"sha512"),
    b"substr": filters_text.substr,
    b"switch": filters_choice.choose_switch,
    b"text": filters_text.text,
    b"truncate": filters_code.truncate,
    b"unbase64": filters_code.decode_base64,
    b"unhex": filters_number.unhex,
    b"unhexlify": filters_code.unhexlify,
    b"upper": filters_text.upper,
    b"username": filters_text.username,
}
