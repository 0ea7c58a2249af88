"""How a session begins (`stream`): missed events or a snapshot, then live events, without losing any in between.

The session is attached before the log is read, so that each event is in the log when it is read, among the held pushes,
or in both; gids identify duplicates.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from chatnode.dispatch.core import Core
from chatnode.model.commands.messages import InboxPage
from chatnode.model.commands.resume import Cursor, Welcome
from chatnode.model.records import record
from chatnode.protocol.envelopes import Push, push_of, session_frame
from chatnode.routing.sessions import OpenSession, SessionRegistry
from chatnode.storage.engine.connection import Reader
from chatnode.storage.log import log
from chatnode.storage.messages import inbox
from chatnode.storage.people import sessions

PAGE_EVENTS = 500
"""Events rendered and sent at a time while catching up."""


_ALL = 2**62


@record
class Beginning:
    """How a session begins; `gids` are the missed events, in order."""

    welcome: Welcome
    gids: list[int]


async def stream(
    core: Core, registry: SessionRegistry, session: OpenSession, cursor: Cursor | None
) -> AsyncGenerator[Welcome | list[Push]]:
    """The welcome, then pages of missed events, each to be sent before requesting the next. When it ends, `live` and
    the held pushes have been sent, and the session is live.

    A cursor of another epoch, from the future, or too far behind gives a reset: the inbox as it is now. Raises
    `Refusal` if the session was revoked. The session is attached from the first step on: in any case, the caller must
    detach it, and must close this generator if the reader leaves before its end.
    """
    beginning = await begin(core, registry, session, cursor)
    yield beginning.welcome
    gids = beginning.gids
    while True:
        for start in range(0, len(gids), PAGE_EVENTS):
            page = gids[start : start + PAGE_EVENTS]
            yield await core.db.read(
                lambda reader, page=page: [
                    push_of(gid, event) for gid, event in log.events_of(reader, session.account, page)
                ]
            )
        if not session.held_too_much:
            break
        session.hold()
        session.gid, gids = await core.db.read(lambda reader: _more(reader, session))
    # Nothing is awaited between the last look and this: what comes from now on is sent, or was held.
    session.send(session_frame("live", gid=session.gid))
    session.go_live()
    session.flush()


async def begin(core: Core, registry: SessionRegistry, session: OpenSession, cursor: Cursor | None) -> Beginning:
    """Attach the session and find the events that it missed."""
    await registry.attach(session)
    most = core.config.limits.replay_events or _ALL
    snapshot_size = core.config.limits.page_items

    def read(reader: Reader) -> tuple[int, list[int] | None, InboxPage | None]:
        sessions.check_not_revoked(reader, session.key)  # from here on the router sees to it
        head = log.head(reader)
        if cursor is not None and cursor.epoch == core.epoch and cursor.gid <= head:
            gids = log.gids_since(reader, session.account, cursor.gid, most)
            if gids is not None:
                return head, gids, None
        return head, None, inbox.page(reader, session.account, None, snapshot_size)

    head, gids, snapshot = await core.db.read(read)
    session.gid = head
    welcome = Welcome(
        epoch=core.epoch, head=head, mode="reset" if gids is None else "replay", me=session.account.ref,
        session=session.key, inbox=snapshot,
    )  # fmt: skip
    return Beginning(welcome, gids or [])


def _more(reader: Reader, session: OpenSession) -> tuple[int, list[int]]:
    return log.head(reader), log.gids_since(reader, session.account, session.gid, _ALL) or []
