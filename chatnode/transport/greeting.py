"""Hello on a client socket: signing in, and catching up from the client's cursor."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import aclosing
from math import inf

import trio

from chatnode.dispatch.caller import Caller, unauthenticated
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.commands.resume import Hello, Welcome, Welcomed
from chatnode.protocol.envelopes import Push, RequestId, ok_reply, text_frame
from chatnode.routing import resume
from chatnode.routing.sessions import OpenSession
from chatnode.services.sign_in import authenticate
from chatnode.storage.people.sessions import Authenticated
from chatnode.transport.close_codes import RESUME_SESSION_ENDED, STOP_SIGNED_OUT
from chatnode.transport.origins import Credentials, set_cookie
from chatnode.transport.requests import SessionRequests, SocketBackend

PUSHES_A_SEND = 50
"""While catching up."""


class SocketSession(OpenSession):
    """A signed-in client socket, as the router sees it."""

    __slots__ = ("_requests",)

    def __init__(self, found: Authenticated, requests: SessionRequests) -> None:
        super().__init__(found.account, found.session, found.ends_at)
        self._requests = requests

    @property
    def behind(self) -> bool:
        return self._requests.outbox.waiting

    def send(self, push: Push) -> None:
        self._requests.outbox.add(push.websocket)

    def flush(self) -> None:
        # A session that waits for its own write is answered in a moment: its pushes leave with the answer.
        if not self._requests.reply_is_coming:
            self._requests.outbox.flush()

    @property
    def queued_bytes(self) -> int:
        return self._requests.outbox.queued_bytes

    def end(self, *, resume: bool, reason: str) -> None:
        self._requests.close_after_reply(RESUME_SESSION_ENDED if resume else STOP_SIGNED_OUT, reason)


class Greeting:
    """What a connection needs until its client has said hello. `patience` is the scope of that time; `frames` counts
    what was sent in it."""

    __slots__ = ("_backend", "_credentials", "_signed_in", "frames", "patience")

    def __init__(
        self, backend: SocketBackend, credentials: Credentials, signed_in: Callable[[SocketSession, Caller], None]
    ) -> None:
        """`signed_in` is called before the first reply to the session is sent."""
        self._backend = backend
        self._credentials = credentials
        self._signed_in = signed_in
        self.patience = trio.CancelScope()
        self.frames = 0

    async def slide_cookie(self) -> str:
        """The field that lets the cookie's time begin again with the session's. The upgrade is the only answer that can
        bring one; of a cookie that is no good, hello says so."""
        core, credentials = self._backend.core, self._credentials
        if credentials.token is None or not credentials.by_cookie:
            return ""
        with contextlib.suppress(Refusal):
            if (await authenticate(core, credentials.token)).prolonged:
                return set_cookie(core, credentials, credentials.token)
        return ""

    async def welcome(self, request_id: RequestId, hello: Hello, requests: SessionRequests) -> None:
        """Sign in, answer, and send what was missed. Raises `Refusal`."""
        core, registry = self._backend.core, self._backend.registry
        token = hello.token or self._credentials.token
        if token is None:
            raise unauthenticated()
        found = await authenticate(core, token)
        caller = Caller(core, address=self._credentials.address, turn=requests.caller.turn, takes_json=True)
        caller.sign_in(found)
        caller.check(permissions.CHAT, reads=True)
        session = SocketSession(found, requests)
        session.wants_presence = hello.presence
        outbox = requests.outbox
        try:
            async with aclosing(resume.stream(core, registry, session, hello.cursor)) as parts:
                async for part in parts:
                    if isinstance(part, Welcome):
                        self._signed_in(session, caller)
                        self.patience.deadline = inf
                        outbox.send(text_frame(ok_reply(request_id, Welcomed(part, self._backend.repeatable))))
                        await outbox.wait_empty()
                    else:
                        for start in range(0, len(part), PUSHES_A_SEND):
                            outbox.send(b"".join([push.websocket for push in part[start : start + PUSHES_A_SEND]]))
                            if outbox.waiting:
                                await outbox.wait_empty()
        except BaseException:
            registry.detach(session)
            raise
