"""What a plugin serves over HTTP at addresses of its own: routes, their requests and their responses."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import attrs

from chatnode.hooks.context import Context
from chatnode.hooks.forms import FORMS
from chatnode.model.records import record

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
METHODS: frozenset[str] = frozenset(get_args(Method))
READING_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods that change nothing: the scope `<permission>:read` is enough for them."""


class Disconnected(Exception):
    """No more of a request's body comes. `why`: the client is `gone`, or it was `idle` for too long, or the node is
    `stopping`.

    What arrived before has been handed over. The handler has about 5 s to store what it has; then it is cancelled.
    """

    def __init__(self, why: Literal["gone", "idle", "stopping"]) -> None:
        super().__init__(why)
        self.why = why


class IncomingBody(Protocol):
    """The body of a request, read as it is asked for."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...

    async def whole(self) -> bytes:
        """The rest of it, in memory."""
        ...

    async def drain(self) -> None:
        """Read on for a moment, and drop what comes."""
        ...


@record(frozen=True)
class Request:
    """An HTTP request to a plugin's route.

    `path` has the values of the rule's `<name>`s; header names are in lower case, and the values of several headers
    with one name are joined by commas. `length` is the length of the body, as the client declares it; None if it is
    sent in chunks of HTTP. The body is read from the connection as the handler asks for it, so a client cannot send
    faster than the handler works.
    """

    method: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    length: int | None
    _incoming: IncomingBody

    @property
    def media_type(self) -> str:
        """The type of the body, in lower case and without parameters; empty if the client declares none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_form(self) -> bool:
        """Whether the body is a form of a browser, and not for example a file itself."""
        return self.media_type in FORMS

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, in pieces of up to 64 KiB. A second call continues where the first one stopped.

        Raises `Disconnected` if the body ends early, and `Refusal("too_large")` when it exceeds the route's
        `most_bytes`.
        """
        return self._incoming.__aiter__()

    async def body(self) -> bytes:
        """The whole body, for small ones: what exceeds the route's `most_bytes`, or `limits.body_bytes` if the route
        sets no limit, is refused with `Refusal("too_large")`. Raises `Disconnected`."""
        return await self._incoming.whole()

    async def drain(self) -> None:
        """Read on, and drop what arrives: up to 1 MiB, for up to 2 s.

        Only useful if the connection is worth keeping after a response that comes early: otherwise the node sends the
        response, and closes the connection if much of the body is left.
        """
        await self._incoming.drain()


@record(frozen=True)
class FilePart:
    """A file as the body of a response: its bytes from `start` up to and without `stop`; None is the file's end.

    It is opened before the response begins. A file that does not exist then is `Refusal("not_found")`.
    """

    path: Path
    start: int = 0
    stop: int | None = None


def _nothing(whole: bool) -> None:
    """The default of `Response.ended`."""


@record(frozen=True)
class Response:
    """An HTTP response. A `body` of type str is sent as UTF-8; an async iterator is sent as its parts come, as fast as
    the client takes them. `content_type` may be empty: then none is sent.

    The node adds `X-Content-Type-Options`, `Referrer-Policy`, `Content-Security-Policy` and `Cache-Control`, unless
    `headers` has them. `ended` is called once, when the client was sent everything (`whole`), or when it is certain
    that this will not happen. To HEAD, the response is sent without its body, and it is not `whole`.
    """

    body: str | bytes | FilePart | AsyncIterator[bytes] = b""
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    ended: Callable[[bool], None] = _nothing


@record(frozen=True)
class Route:
    """An HTTP address of a plugin: `rule` below `/plugins/<name>/`, such as `feed/<list>`.

    Commands are available over HTTP automatically; a route is for everything else, such as a feed, a webhook or a file.
    `permission` is what the requester must have. If it is None, anyone may call it; `ctx.account` is the user if the
    request brings a valid token or cookie, and None otherwise. With GET, a route also answers HEAD. Two routes may have
    the same rule if they have no method in common. OPTIONS is answered by the node if no route of the rule has it.

    `most_bytes` is the maximum size of a request's body: None is `limits.body_bytes`, 0 is no limit, and a function
    computes it from the plugin's settings. A body that is larger is refused before it is read, or while it is read.
    After `idle_seconds` in which a client sends or takes nothing, it is disconnected; 0 means never. `limit` names a
    rate limit of the plugin or of the node, besides that of all requests.

    A request that changes something and is authenticated by the session cookie needs an `Origin` header that the node
    allows, or `Content-Type: application/json`, or `Tus-Resumable`: other sites cannot send these. When the client
    disconnects, the handler is cancelled, but if the request had a body, only after about 5 s.
    """

    rule: str
    handler: Callable[[Context, Request], Awaitable[Response]]
    permission: str | None
    methods: tuple[Method, ...] = ("GET",)
    summary: str = ""
    most_bytes: int | Callable[[Any], int] | None = None
    idle_seconds: float = 60.0
    limit: str | None = None


def methods_of(route: Route) -> frozenset[str]:
    """The methods that the route answers: with GET also HEAD."""
    return frozenset(route.methods) | ({"HEAD"} if "GET" in route.methods else set[str]())


def shape_of(rule: str) -> str:
    """The rule without the names of its places: rules of one shape match the same addresses."""
    return re.sub("<[a-z_]+>", "<>", rule)
