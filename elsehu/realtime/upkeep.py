"""Looking after open sockets: do their tokens still hold, are their cursors still young?"""

import asyncio
from typing import TYPE_CHECKING

from elsehu.contracts.errors import Unauthenticated
from elsehu.db import CONNECTION_LOST
from elsehu.http.operations import Authenticator
from elsehu.realtime import frames
from elsehu.realtime.session import UNAUTHENTICATED, Flow, Session

if TYPE_CHECKING:
    from elsehu.realtime.hub import Hub

LOOK_SECONDS = 0.5
RECHECK_EVERY = 3


async def look_after(hub: "Hub") -> None:
    """Look at each socket in the pace of its pings, at its token more seldom: hints of ended sessions can be lost."""
    pace = hub.kernel.settings.realtime.ping_interval
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        for session in [one for one in hub.sessions() if one.look_at <= loop.time()]:
            session.look_at = loop.time() + pace
            session.looks += 1
            tell_cursor(hub, session)
            if session.looks % RECHECK_EVERY == 0:
                await recheck(hub, session)


def tell_cursor(hub: "Hub", session: Session) -> None:
    """Tell a socket that got no events where it stands, so that it can resume however much others got."""
    if session.flow is Flow.LIVE and session.cursor != hub.cursor:
        session.cursor = hub.cursor
        session.put(frames.notice("cursor", hub.kernel.now(), {}, cursor=hub.cursor))


async def recheck(hub: "Hub", session: Session) -> None:
    """Close a socket whose token holds no more; take over a user's new role."""
    authenticator = hub.kernel.part(Authenticator)  # type: ignore[type-abstract]
    token = session.token
    try:
        caller = await authenticator.recheck(token)
    except Unauthenticated as refused:
        if session.token == token:
            session.close(UNAUTHENTICATED, refused.code, drop=True)
        return
    except CONNECTION_LOST:
        return
    if caller != session.caller and session.token == token and session in hub:
        hub.renew(session, caller, token)
