"""The node as an ASGI application, for programs that mount it: the same answers as on a port of the node's own.

The program's server reads requests and writes responses. Its own limits hold for heads, idle connections and floods;
everything else is as ever. What is promised:

- The node works out the path of the mount, whichever way the program gives it.
- A user whom the program vouches for (`identify`) is signed in without a token, on the terms of the cookie: pages of
  other sites cannot use it.
- When the node stops, sessions are told to resume, and what is still answered after `server.shutdown_seconds` is cut.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast
from urllib.parse import quote, unquote

import attrs
import trio

from chatnode.addresses import below
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal, WrongKind
from chatnode.logs import get_logger, kinds_of
from chatnode.model.records import record
from chatnode.protocol import codec
from chatnode.services.vouching import Profile, Vouching, read_identity, read_profile
from chatnode.storage.people.identities import ProgramUser
from chatnode.transport.connection import GONE
from chatnode.transport.exchange import NO_APPLICATION, HttpServer, Message, Receive, Send
from chatnode.transport.failures import unexpected_refusal
from chatnode.transport.origins import Mount
from chatnode.transport.sockets import ClientSockets

logger = get_logger("mount")

Identify = Callable[[Any], "str | Awaitable[str | None] | None"]
"""Who is signed in to the program, by a request's ASGI scope: `app:42`, or None for nobody. A function for it may
declare the scope as its framework does: a mapping, a dict, `starlette.types.Scope`."""
AskProfile = Callable[[str], "Profile | Awaitable[Profile | None] | None"]
"""How a user is shown who comes for the first time, by what follows the colon in what `identify` returned."""
_SOCKET_PATH = "/v1/socket"
_WITH_BODY = frozenset(("POST", "PUT", "PATCH", "DELETE"))
_MOST_KEPT = 10_000
"""Profiles; past that, the program is asked again."""


@record
class Vouched:
    """A user whom the program vouches for."""

    identity: ProgramUser
    profile: Profile


class Doorman:
    """Asks the program who is signed in. Its functions may be async, and are called in the task of the request."""

    def __init__(self, identify: Identify | None, profile: AskProfile | None) -> None:
        for name, function in (("identify", identify), ("profile", profile)):
            if function is not None and not callable(function):
                raise WrongKind(f"{name} must be a function, not {type(function).__name__}")
        self._identify = identify
        self._profile = profile
        self._profiles: dict[ProgramUser, Profile] = {}

    async def who(self, scope: Mapping[str, Any]) -> Vouched | None:
        """Raises what the functions raise, and `ValueError` if they return something else than they should."""
        said = self._identify(scope) if self._identify is not None else None
        if isinstance(said, Awaitable):
            said = await said
        if said is None:
            return None
        try:
            identity = read_identity(said)
        except ValueError as error:
            raise ValueError(f"identify returned neither None nor the name of a user: {error}") from None
        if self._profile is None:
            return Vouched(identity, {})
        if (kept := self._profiles.get(identity)) is not None:  # it is needed until there is an account
            return Vouched(identity, kept)
        told = self._profile(identity.name)
        if isinstance(told, Awaitable):
            told = await told
        try:
            profile = read_profile(told)
        except ValueError as error:
            raise ValueError(f"profile returned what cannot be used: {error}") from None
        if len(self._profiles) >= _MOST_KEPT:
            self._profiles.clear()
        self._profiles[identity] = profile
        return Vouched(identity, profile)


def inner_scope(scope: Mapping[str, Any], vouched: Vouched | None, base: str = "") -> dict[str, Any]:
    """The scope of a request as the node sees it: its path is below the mount.

    Starlette leaves the mount's path in `path` and puts it into `root_path`; others have it in `root_path` only. `base`
    is that of a mount which the framework knows nothing of.
    """
    root: str = scope.get("root_path", "").rstrip("/")
    path = below(below_root(scope), unquote(base))
    headers = [(bytes(name).lower(), bytes(value)) for name, value in scope["headers"]]
    names = {name for name, _ in headers}
    if not names & {b"content-length", b"transfer-encoding"} and scope.get("method") in _WITH_BODY:
        headers.append((b"transfer-encoding", b"chunked"))  # HTTP/2 and 3 need neither to send a body
    # Browsers send paths quoted; and a mount may have a part that the visitor has written: //host is another site.
    prefix = quote(f"/{root.lstrip('/')}", safe="/~-._") if root else ""
    mount = Mount(prefix + base, scope.get("scheme") in ("https", "wss"))
    client, server = scope.get("client"), scope.get("server")
    kept = {name: scope[name] for name in ("type", "http_version", "method", "subprotocols") if name in scope}
    return kept | {
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "scheme": scope.get("scheme", "http"),
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": bytes(scope.get("query_string", b"")),
        "root_path": "",
        "headers": headers,
        "client": tuple(client) if client else None,
        "server": tuple(server) if server else None,
        "state": {"mount": mount, "vouched": vouched},
        "extensions": {},
    }


def below_root(scope: Mapping[str, Any]) -> str:
    """A request's path without that of the mount."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    found = below(path, root)
    if found == path and (front := scope.get("app_root_path", "").rstrip("/")):
        return below(path, root.removeprefix(front))  # a proxy in front has stripped its part
    return found


class MountedNode:
    """Answers requests that were given an `inner_scope`. Exists while the node runs."""

    def __init__(self, core: Core, sockets: ClientSockets, http: HttpServer) -> None:
        self._vouching = core.part(Vouching)
        self._sockets = sockets
        self._http = http
        self._open: set[trio.CancelScope] = set()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """On the trio thread. A fault is logged, and ends this request only."""
        with trio.CancelScope() as cut:
            self._open.add(cut)
            try:
                scope["state"]["mount"] = await self._vouch(scope["state"])
                if scope["type"] == "websocket":
                    await self._serve_socket(scope, receive, send)
                else:
                    await self._answer(scope, receive, send, cut)
            except Refusal as refusal:
                await refuse(scope, send, refusal)
            except Exception as error:
                _log_fault(error)
            except BaseExceptionGroup as group:
                faults, rest = group.split(Exception)
                if faults is not None:
                    _log_fault(faults)
                if rest is not None:
                    raise rest from None
            finally:
                self._open.discard(cut)

    async def _vouch(self, state: dict[str, Any]) -> Mount:
        mount: Mount = state["mount"]
        vouched: Vouched | None = state.pop("vouched")
        if vouched is None:
            return mount
        return attrs.evolve(mount, token=await self._vouching.token(vouched.identity, vouched.profile))

    async def _serve_socket(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] == _SOCKET_PATH:
            await self._sockets.serve_mounted(scope, receive, send)
        else:
            await refuse(scope, send, Refusal("not_found", f"client sockets are at {_SOCKET_PATH}"))

    async def _answer(self, scope: dict[str, Any], receive: Receive, send: Send, cut: trio.CancelScope) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                message.setdefault("body", b"")
                message.setdefault("more_body", False)
            return message

        scope["state"] |= {"close_connection": cut.cancel, "stopping": self._http.stopping}
        with self._http.answering():
            app = await self._http.application()
            if app is None:
                raise Refusal("unavailable", NO_APPLICATION)
            try:
                await app(scope, receiving, sending)
            except Exception:
                if begun:
                    raise
                raise unexpected_refusal() from None

    def cut(self) -> None:
        """End whatever is still answered."""
        for scope in list(self._open):
            scope.cancel()


class TrioApp:
    """An ASGI application for a server in the node's own trio run. `mounted` gives the node's side while it runs."""

    def __init__(self, mounted: Callable[[], MountedNode | None], doorman: Doorman) -> None:
        self._mounted = mounted
        self._doorman = doorman

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":  # the program opens and closes the node itself
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        mounted = self._mounted()
        if mounted is None:
            await refuse(
                scope, send, Refusal("unavailable", "the chat node is not running: start node.run or node.serve")
            )
            return
        await mounted(inner_scope(scope, await self._doorman.who(scope)), receive, send)


def _log_fault(error: BaseException) -> None:
    fault: BaseException | None = None if isinstance(error, GONE) else error
    if isinstance(error, BaseExceptionGroup):
        _, fault = cast("BaseExceptionGroup[BaseException]", error).split(GONE)
    if fault is not None:
        logger.warning("a request to the mounted node failed: %s", kinds_of(fault))


async def refuse(scope: Mapping[str, Any], send: Send, refusal: Refusal) -> None:
    """Answer a request with a refusal; a client socket gets a 403 from its server."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.message[:100]})
        return
    body = codec.encode({"error": refusal.as_json()})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
