"""The HTTP side of the conformance harness: no network, the answers stand in the case."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from dispatcher.protocol.secret import Secret
from workers.http.message import Request, Response, Stats
from workers.http.network import Network
from workers.http.operation import answer_of, request_of
from workers.http.registry import ClientRegistry
from workers.http.settings import ClientSettings


class Http:
    """Takes the requests of one case and answers them in turn."""

    def __init__(self, answers: tuple[dict[str, Any], ...] = ()) -> None:
        self.registry = ClientRegistry(self._opened)
        self.settings: list[ClientSettings] = []
        self.requests: list[Request] = []
        self._answers = list(answers)

    def answer(self, _client_id: int, *parts: Any) -> Any:
        request = request_of(*parts)
        self.requests.append(request)
        if not self._answers:
            return (None, b"the case has no answer for this request")
        return answer_of(_response(self._answers.pop(0), request))

    def sent_parts(self, expected: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
        """The requests, each with the fields that the expectation names; all of them if it says nothing."""
        return _parts([_shown_request(request) for request in self.requests], expected)

    def opened_parts(self, expected: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
        return _parts([_shown_settings(settings) for settings in self.settings], expected)

    def _opened(self, settings: ClientSettings, _network: Network) -> Any:
        self.settings.append(settings)
        return _Idle()


class _Idle:
    def close(self) -> None:
        pass


def _parts(shown: list[dict[str, Any]], expected: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    if not expected:
        return []
    keys = [list(part) for part in expected] + [[]] * len(shown)
    return [{key: one.get(key) for key in wanted} for one, wanted in zip(shown, keys, strict=False)]


def _response(answer: dict[str, Any], request: Request) -> Response:
    return Response(
        status=answer.get("status", 200),
        reason=answer.get("reason", "OK").encode(),
        headers=tuple((name.encode(), value.encode()) for name, value in answer.get("headers", ())),
        payload=answer.get("payload", "").encode("utf-8", "surrogateescape"),
        log=tuple((level.encode(), text.encode()) for level, text in answer.get("log", ())),
        stats=Stats(**answer.get("stats", {"attempts": 1})),
        url=request.url,
    )


def _shown_request(request: Request) -> dict[str, Any]:
    return {
        "method": request.method.decode(),
        "url": (request.url.origin + request.url.target).decode(),
        "headers": [f"{name.decode()}: {value.decode()}" for name, value in request.headers],
        "disabled": sorted(name.decode() for name in request.disabled),
        # "-": none was set.
        "payload": "-" if request.payload is None else request.payload.decode("utf-8", "surrogateescape"),
        "is_sync": request.is_sync,
    }


def _shown_settings(settings: ClientSettings) -> dict[str, Any]:
    values = {one.name: getattr(settings, one.name) for one in fields(settings)}
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    return value.decode() if isinstance(value, bytes) else value
