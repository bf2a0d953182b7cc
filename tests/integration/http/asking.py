"""Short words for requests in tests."""

from collections.abc import Callable

from workers.http.client import HttpClient
from workers.http.message import Request, Response
from workers.http.url import parse_url


def request(url: str, method: str = "GET", **parts: object) -> Request:
    return Request(method=method.encode(), url=parse_url(url.encode()), **parts)


class Asking:
    """Sends one request through a client of its own."""

    def __init__(self, make_client: Callable[..., HttpClient]):
        self.make_client = make_client

    def __call__(self, url: str, method: str = "GET", parts: dict | None = None, **settings: object) -> Response:
        return self.make_client(**settings).submit(request(url, method, **(parts or {})))
