"""A chain of passdb scripts: Dovecot's rules for what one login comes to after each of them.

`Auth.verify_chain` drives it. Decides only; asks nobody.

Mirrors: auth_request_handle_passdb_callback and auth_request_handler_reply of Dovecot 2.3.19, in the default mode that
runs scripts in worker processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol.auth_result import AuthResult, AuthVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dispatcher.catalog import Script


class Rule(StrEnum):
    """What a chain does after a script's result: Dovecot's result_success, result_failure, result_internalfail."""

    RETURN = "return"
    RETURN_OK = "return-ok"
    RETURN_FAIL = "return-fail"
    CONTINUE = "continue"
    CONTINUE_OK = "continue-ok"
    CONTINUE_FAIL = "continue-fail"


@dataclass(frozen=True)
class Link:
    """One passdb of a chain, with Dovecot's defaults."""

    script: str | Script
    result_success: Rule = Rule.RETURN_OK
    result_failure: Rule = Rule.CONTINUE
    result_internalfail: Rule = Rule.CONTINUE


_SAYS_OK: Final = frozenset({Rule.RETURN_OK, Rule.CONTINUE_OK})
_SAYS_FAIL: Final = frozenset({Rule.RETURN_FAIL, Rule.CONTINUE_FAIL})
_CONTINUES: Final = frozenset({Rule.CONTINUE, Rule.CONTINUE_OK, Rule.CONTINUE_FAIL})

#: Verdicts after which no other script is asked.
_FINAL: Final = frozenset({AuthVerdict.USER_DISABLED, AuthVerdict.PASS_EXPIRED})

#: Fields that hold for one script only.
_OF_ONE_SCRIPT: Final = frozenset({b"nopassword", b"noauthenticate"})

#: The client gets these without a value.
_BARE: Final = frozenset({b"nologin", b"proxy"})
#: The client of a failed login does not get these.
_OF_SUCCESS: Final = frozenset({b"nologin", b"proxy", b"proxy_maybe", b"proxy_always", b"host", b"port", b"destuser"})


class Chain:
    """The state of one login on its way through a chain."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        #: What the next script is asked.
        self.request = dict(request)
        self._asked_as = as_bytes(request.get("original_user")) or as_bytes(request.get("user"))
        self._last = AuthResult(AuthVerdict.USER_UNKNOWN, self._asked_as, reason="no passdb was asked")
        #: Fields of the last script that succeeded.
        self._kept = self._last
        self._is_ok = False
        self._has_failed_internally = False

    def take(self, link: Link, result: AuthResult) -> bool:
        """Note a script's result; returns whether the chain ends here."""
        verdict = result.verdict
        self._last = result
        self._hand_on(result)
        if verdict in _FINAL:
            self._is_ok = self._has_failed_internally = False
            return True
        if verdict is AuthVerdict.NEXT:
            return False
        rule = self._rule(link, verdict)
        if rule in _SAYS_OK:
            self._is_ok = True
        elif rule in _SAYS_FAIL:
            self._is_ok = False
        if rule is Rule.CONTINUE_OK or (rule is Rule.CONTINUE and verdict is AuthVerdict.OK):
            # The password is right: no other script needs to check it.
            self.request["skip_password_check"] = True
        if verdict is AuthVerdict.INTERNAL_FAILURE:
            self._has_failed_internally = self.request["passdbs_seen_internal_failure"] = True
        elif verdict is AuthVerdict.USER_UNKNOWN:
            self.request["passdbs_seen_user_unknown"] = True
        return rule not in _CONTINUES

    def result(self) -> AuthResult:
        """Return what the login came to."""
        verdict, reason = self._verdict()
        return self._kept.changed(verdict=verdict, reason=reason, fields=self._told(verdict), password=b"")

    def _verdict(self) -> tuple[AuthVerdict, str]:
        last = self._last
        if last.verdict is AuthVerdict.NEXT:
            # Whatever earlier scripts said: Dovecot takes it for a mistake of the administrator's.
            return AuthVerdict.INTERNAL_FAILURE, "Last passdb had noauthenticate field, cannot authenticate user"
        if self._is_ok:
            return AuthVerdict.OK, ""
        if self._has_failed_internally:
            # Somebody could not be asked: nobody may say that the password is wrong.
            return AuthVerdict.INTERNAL_FAILURE, last.reason
        if last.verdict is AuthVerdict.OK:
            return AuthVerdict.PASSWORD_MISMATCH, "the rules of the chain make a failure of it"
        return last.verdict, last.reason

    def _told(self, verdict: AuthVerdict) -> dict[bytes, bytes]:
        """Put together what Dovecot's client is told."""
        is_ok = verdict is AuthVerdict.OK
        # `pass_expired` is the one failure that brings a field of its own.
        source = self._last if verdict is AuthVerdict.PASS_EXPIRED else self._kept
        fields = {key: value for key, value in source.fields.items() if is_ok or key not in _OF_SUCCESS}
        fields.update(dict.fromkeys(_BARE & fields.keys(), b""))
        if self._asked_as and self._asked_as != self._kept.user:
            fields.setdefault(b"original_user", self._asked_as)
        if self._kept.master_user:
            fields.setdefault(b"auth_user", self._kept.master_user)
        return fields

    def _rule(self, link: Link, verdict: AuthVerdict) -> Rule:
        if verdict is AuthVerdict.OK:
            return link.result_success
        return link.result_internalfail if verdict is AuthVerdict.INTERNAL_FAILURE else link.result_failure

    def _hand_on(self, result: AuthResult) -> None:
        # A failed script renames, too. A failure of ours has no user.
        if result.user:
            self._kept = self._kept.changed(user=result.user)
            self.request.setdefault("original_user", self.request.get("user"))
            self.request["user"] = result.user
        if result.verdict not in (AuthVerdict.OK, AuthVerdict.NEXT):
            return
        hidden = {key: value for key, value in result.hidden_fields.items() if key not in _OF_ONE_SCRIPT}
        # The master user of an earlier script stays one.
        master_user = result.master_user or self._kept.master_user
        self._kept = result.changed(hidden_fields=hidden, master_user=master_user)
        self.request["passdb"] = {**result.fields, **hidden}
        self.request["userdb"] = result.userdb_fields
        if result.master_user:
            self.request["master_user"] = result.master_user


def as_bytes(value: object) -> bytes:
    """Read a string of a request as C sees it, up to its first NUL; anything else is empty."""
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return data.partition(b"\0")[0] if isinstance(data, bytes) else b""
