"""Auth calls in the engine: whatever a request holds, it is answered, and the engine goes on."""

import pytest

from dispatcher.protocol.auth_result import AUTH_HOST, AuthResult, AuthVerdict
from dispatcher.protocol.outcome import OutcomeKind
from tests.unit.workers.engine_run import EngineRun, package_of

SCRIPT = package_of(b"""
function auth_userdb_lookup()
   return dovecot.auth.USERDB_RESULT_OK, { uidgid_file = "/nonexistent/%{user}" }
end""")


@pytest.mark.parametrize("value", [None, True, 1.5, [], {b"a": 1}], ids=repr)
@pytest.mark.parametrize("name", ["user", "remote_ip", "session", "passdb"])
def test_template_of_a_request_with_odd_values_is_an_answer(name, value):
    with EngineRun(host=AUTH_HOST) as run:
        outcome = run.call(SCRIPT, "auth_userdb_lookup", {"user": b"joe", name: value})
        assert OutcomeKind.OK is outcome.kind, outcome.error
        assert AuthVerdict.INTERNAL_FAILURE is AuthResult.from_value(outcome.values[0]).verdict
