"""Plugins' routes: streamed both ways, beside the framework that serves everything else.

A handler reads a body as it arrives and its response goes out as it is made, both at the pace of the client, and
nothing is held in memory. What is promised:

- A request counts, is authenticated, and is checked for permission, rate and size before the handler sees it.
- A handler is cancelled when its client disconnects: at once if the request had no body, and otherwise after
  `FLUSH_SECONDS`, so that what arrived can be stored.
- When the node stops, reading a body raises `Disconnected`; the handler has until `server.shutdown_seconds` are over.
- What a plugin raises ends its own request only.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import trio

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.hooks.routes import READING_METHODS, Disconnected, Request, Response, Route
from chatnode.transport.callers import caller_of, check_signed_in
from chatnode.transport.exchange import Application, ClientGone, Receive, Send
from chatnode.transport.failures import unexpected_refusal
from chatnode.transport.incoming import RequestBody
from chatnode.transport.origins import Credentials, fields_of
from chatnode.transport.outgoing import JSON, ResponseSender, refusal_response
from chatnode.transport.route_table import Destination, RouteTable

FLUSH_SECONDS = 5.0
"""Time for a handler to store what arrived of a body, once no more comes."""
REFUSAL_SECONDS = 10.0
"""Time for a client to take a refusal that comes before the handler."""


class PluginRoutes:
    """An ASGI application: requests for plugins' routes are answered here, all others by `otherwise`."""

    def __init__(self, core: Core, table: RouteTable, otherwise: Application) -> None:
        self._core = core
        self._table = table
        self._otherwise = otherwise

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        found = self._table.find(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._otherwise(scope, receive, send)
        else:
            await _RouteExchange(self._core, found, scope, receive, send).run()


class _RouteExchange:
    """One request to a route."""

    def __init__(self, core: Core, found: Destination, scope: Any, receive: Receive, send: Send) -> None:
        self._core = core
        self._found = found
        self._scope = scope
        self._receive = receive
        self._send = send
        self._method: str = scope["method"]
        self._headers = fields_of(scope)
        self._further: dict[str, str] = {}
        """Header fields that the node adds to the response."""
        self._working = trio.CancelScope()
        """Around the handler and its response."""
        self._done = False

    async def run(self) -> None:
        route = self._found.routes.get(self._method)
        idle = REFUSAL_SECONDS if route is None else route.idle_seconds
        async with trio.open_nursery() as nursery:
            sender = ResponseSender(self._method, self._send, idle, nursery)
            with self._working:
                await self._respond(route, sender, nursery)
            nursery.cancel_scope.cancel()

    async def _respond(self, route: Route | None, sender: ResponseSender, nursery: trio.Nursery) -> None:
        body: RequestBody | None = None
        try:
            if route is None:
                response = self._without_route()
            else:
                caller = await self._admit(route)
                body = self._body(route)
                nursery.start_soon(self._watch_client, body)
                if not body.received.is_set():
                    nursery.start_soon(self._watch_node, body)
                request = Request(
                    self._method, self._found.path(route), _query(self._scope), self._headers, self._length, body
                )
                response = await route.handler(self._found.owner.context_of(caller), request)
        except Refusal as refusal:
            response = refusal_response(refusal)
        except Disconnected as early:
            response = _ended_early(early)
        except (Exception, SystemExit):
            response = refusal_response(unexpected_refusal())
        whole = False
        try:
            if body is not None and body.broken is not None:
                self._further["connection"] = "close"
            if body is None or body.broken != "gone":
                whole = await self._send_response(sender, response)
        finally:
            self._done = True
            _tell_ended(response, whole)

    # ---- before the handler

    def _without_route(self) -> Response:
        """The response to a method that no route of the address answers."""
        allowed = self._found.allowed
        self._further["allow"] = ", ".join(allowed)
        if self._method == "OPTIONS":
            return Response(status=204, content_type="")
        wanted = " or ".join(method for method in allowed if method not in ("HEAD", "OPTIONS"))
        message = f"{self._method} is not allowed for this address; use {wanted or allowed[0]}"
        return refusal_response(Refusal("bad_request", message), 405)

    async def _admit(self, route: Route) -> Caller:
        """The requester, if the route is for them. Raises `Refusal`."""
        credentials = Credentials.of_scope(self._scope, self._core)
        caller = await self._caller(route, credentials)
        self._core.requests.take(caller.payer)
        if credentials.by_browser and self._method not in READING_METHODS:
            self._check_not_forged()
        if route.limit is not None:
            caller.rates[route.limit].take(caller.payer)
        return caller

    async def _caller(self, route: Route, credentials: Credentials) -> Caller:
        if route.permission is not None:
            check_signed_in(credentials)
        try:
            caller, cookie = await caller_of(self._core, credentials)
        except Refusal as refusal:
            if route.permission is not None or refusal.code != "unauthenticated":
                raise
            return Caller(self._core, address=credentials.address)  # the token may be for the plugin itself
        if cookie is not None:
            self._further["set-cookie"] = cookie
        if route.permission is not None:
            caller.check(route.permission, reads=self._method in READING_METHODS)
        return caller

    def _check_not_forged(self) -> None:
        """Raises `Refusal` for what a page of another site can make a browser send with the cookie."""
        media_type = self._headers.get("content-type", "").partition(";")[0].strip().lower()
        # An Origin that the node does not allow has no cookie by now. The other two make a browser ask first.
        if not ("origin" in self._headers or "tus-resumable" in self._headers or media_type == JSON):
            raise Refusal(
                "bad_request",
                f"with a cookie, the request needs the header Origin, Tus-Resumable or Content-Type: {JSON}, which "
                "other sites cannot send",
            )

    @property
    def _length(self) -> int | None:
        return None if "transfer-encoding" in self._headers else int(self._headers.get("content-length", "0"))

    def _body(self, route: Route) -> RequestBody:
        default = self._core.config.limits.body_bytes
        most = route.most_bytes(self._found.owner.settings) if callable(route.most_bytes) else route.most_bytes
        return RequestBody(
            self._receive,
            length=self._length,
            most=default if most is None else most,
            most_at_once=default or 2**30,
            idle=route.idle_seconds,
            broke=self._give_up,
        )

    # ---- beside the handler

    async def _watch_client(self, body: RequestBody) -> None:
        """Once the body was read, find out when the client disconnects."""
        await body.received.wait()
        while (await self._receive())["type"] == "http.request":
            pass
        if not self._done:
            self._give_up()

    async def _watch_node(self, body: RequestBody) -> None:
        await self._scope["state"]["stopping"].wait()
        body.stop()

    def _give_up(self) -> None:
        """Nobody waits for the response any more, or no more of the body comes."""
        has_body = self._length != 0
        self._working.deadline = trio.current_time() + (FLUSH_SECONDS if has_body else 0)

    # ---- the response

    async def _send_response(self, sender: ResponseSender, response: Response) -> bool:
        """Whether the client was sent all of it."""
        try:
            return await sender.send(response, self._further)
        except (ClientGone, trio.TooSlowError):
            pass  # the client has gone, or takes nothing
        except Refusal as refusal:
            await sender.send(refusal_response(refusal), self._further)
        except (Exception, SystemExit):
            refusal = unexpected_refusal()
            if not sender.begun:
                await sender.send(refusal_response(refusal), {})
        return False


def _query(scope: Any) -> dict[str, str]:
    """The query's values; of several with one name, the first."""
    query: dict[str, str] = {}
    for name, value in parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True):
        query.setdefault(name, value)
    return query


def _ended_early(early: Disconnected) -> Response:
    """What a client is told whose body ended early, if the handler does not say it."""
    if early.why == "stopping":
        response = refusal_response(Refusal("unavailable", "the node is stopping", retry_after=1))
    else:
        response = refusal_response(Refusal("bad_request", "the request's body took too long to arrive"), 408)
    return response


def _tell_ended(response: Response, whole: bool) -> None:
    try:
        response.ended(whole)
    except (Exception, SystemExit):
        unexpected_refusal()
