"""Auth as the `[auth]` settings want it: with limits on logins, with identical checks run once, or plain.

Gateways open one beside their dispatcher. It connects to Redis only when something of it is wanted.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from dispatcher.auth import Auth
from dispatcher.login_limit import LoginLimits
from dispatcher.shared_flight import SharedFlights
from dispatcher.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dispatcher.client import AsyncDispatcher
    from dispatcher.protocol.settings import Settings


class Guard(NamedTuple):
    """What stands before the checks of an Auth."""

    #: Entered already; logins past them are not checked.
    limits: LoginLimits | None = None
    #: Has identical checks in flight run once.
    single_flight: SingleFlight | None = None


@asynccontextmanager
async def guarded_auth(
    dispatcher: AsyncDispatcher, settings: Settings, *, deadline_s: float | None = None, queue: str | None = None
) -> AsyncIterator[Auth]:
    """Yield an Auth with what `[auth]` asks for.

    Args:
        dispatcher: entered already.
        settings: those of the dispatcher.
        deadline_s: of each call; default as the dispatcher's.
        queue: default as the dispatcher's.
    """
    async with AsyncExitStack() as stack:
        limits = None
        if LoginLimits.are_wanted(settings.auth):
            limits = await stack.enter_async_context(LoginLimits(settings))
        single_flight = None
        if settings.auth.single_flight:
            if deadline_s is None:
                deadline_s = settings.dispatch.deadline_s
            shared = await stack.enter_async_context(SharedFlights(settings, dispatcher.dispatcher_id))
            single_flight = SingleFlight(shared, deadline_s)
        yield Auth(dispatcher, deadline_s=deadline_s, queue=queue, guard=Guard(limits, single_flight))
