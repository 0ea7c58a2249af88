"""The HTTP application: the same commands as the socket's, event streams, health, and the page at `/`.

quart-trio routes it, `exchange.py` speaks HTTP. Handlers are cancelled when their client goes away, which is
why nothing here owns state: a write that was handed over is carried out all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib import resources
from typing import Any, get_args, get_origin, get_type_hints

from quart import Response, after_this_request, has_request_context, request
from quart.typing import ResponseReturnValue
from quart_trio import QuartTrio
from trio import to_thread
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.table import CommandTable, unknown_command
from chatnode.errors import Refusal
from chatnode.hooks.manager import Loaded
from chatnode.model import permissions
from chatnode.model.records import record
from chatnode.protocol import codec
from chatnode.protocol.envelopes import Encoded
from chatnode.routing.sessions import SessionRegistry
from chatnode.transport import monitoring, openapi
from chatnode.transport.callers import caller_of, check_signed_in
from chatnode.transport.event_stream import EVENT_STREAM, event_stream
from chatnode.transport.failures import unexpected_refusal
from chatnode.transport.monitoring import JSON, Health
from chatnode.transport.origins import Credentials, clear_cookie, set_cookie
from chatnode.transport.outgoing import HARDENING
from chatnode.transport.personal_export import export_stream
from chatnode.transport.plugin_pages import PluginPages

_SIGN_IN_COMMANDS = ("sessions.create", "invites.accept")
_SIGN_OUT = "sessions.revoke"
_ITEMS = "items.query"
_NO_UPGRADE = (
    "this address is for WebSocket connections, but the request has no Upgrade header; "
    "a reverse proxy must pass on Upgrade and Connection"
)
_WEB_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript"}


def make_app(
    core: Core, table: CommandTable, registry: SessionRegistry, health: Health, plugins: Iterable[Loaded] = ()
) -> QuartTrio:
    """The HTTP application; everything it needs is in its arguments."""
    app = QuartTrio("chatnode", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = core.config.limits.body_bytes or None
    loaded = list(plugins)
    answers = _Answers(core, table, registry, loaded)
    answers.add_routes(app)
    PluginPages(core, loaded, answers.credentials, answers.context_of).add_routes(app)
    monitoring.add_routes(app, core, registry, health, answers.context)
    app.register_error_handler(Refusal, answers.refused)
    app.register_error_handler(HTTPException, answers.http_error)
    app.register_error_handler(Exception, answers.unexpected)
    app.after_request(_harden)
    return app


class _Answers:
    """What the node answers to requests for its own addresses, and to requests that it refuses."""

    def __init__(self, core: Core, table: CommandTable, registry: SessionRegistry, plugins: list[Loaded]) -> None:
        self._core = core
        self._table = table
        self._registry = registry
        self._plugins = plugins
        self._document: openapi.Schema | None = None
        self._web = _web_files()

    def add_routes(self, app: QuartTrio) -> None:
        """The commands' addresses, and all others that are in the document or the node's page."""
        get = ["GET"]
        # Two rules and not one for each command: werkzeug compiles two functions for a rule.
        for endpoint, reads, methods in (("read", True, ["GET", "POST"]), ("command", False, ["POST"])):
            names = ",".join(f'"{each.name}"' for each in self._table if each.reads is reads)
            if names:
                app.add_url_rule(f"/v1/<any({names}):name>", endpoint, self.run_command, methods=methods)
        app.add_url_rule("/v1/openapi.json", "openapi_document", self.openapi_document, methods=get)
        app.add_url_rule("/v1/events", "events", self.events, methods=get)
        app.add_url_rule("/v1/export", "export", self.export, methods=get)
        app.add_url_rule("/items/<collection>", "items", self.items, methods=get)
        app.add_url_rule("/<name>", "page", self.page, methods=get)
        app.add_url_rule("/", "page", self.page, defaults={"name": "index.html"}, methods=get)

    # ---- who asks

    def credentials(self) -> Credentials:
        return Credentials.of_scope(request.scope, self._core)

    async def context(self) -> Caller:
        """Whose token the request brings. Raises `Refusal("unauthenticated")`."""
        return await self.context_of(self.credentials(), required=True)

    async def context_of(self, credentials: Credentials, required: bool) -> Caller:
        """The owner of the token; without one, a client that is not signed in, unless one is `required`."""
        if not required:
            return Caller(self._core, address=credentials.address, takes_json=True)
        check_signed_in(credentials)
        caller, cookie = await caller_of(self._core, credentials)
        if cookie is not None:
            _slide_cookie(cookie)
        return caller

    # ---- addresses

    async def run_command(self, name: str) -> ResponseReturnValue:
        found = self._table.find(name)
        reading = request.method in ("GET", "HEAD")
        credentials = self.credentials()
        context = await self.context_of(credentials, required=found.permission is not None)
        fields = _query_fields(self._core, found.takes) if reading else await _body_fields(self._core, credentials)
        reply = await self._table.run(context, name, fields)
        if isinstance(reply, Encoded):
            return Response(reply.json, content_type=JSON)
        result = codec.to_plain(reply)
        response = Response(codec.encode(result), content_type=JSON)
        if name in _SIGN_IN_COMMANDS and credentials.own_page:
            response.headers["Set-Cookie"] = set_cookie(self._core, credentials, result["token"])
        if name == _SIGN_OUT and credentials.by_cookie and fields["session"] == context.session:
            response.headers["Set-Cookie"] = clear_cookie(credentials)
        return response

    async def openapi_document(self) -> ResponseReturnValue:
        if self._document is None:  # few clients ask for it, and it looks at every command's classes
            self._document = await to_thread.run_sync(openapi.document, self._table, self._plugins)
        prefix = self.credentials().prefix
        servers = {"servers": [{"url": prefix}]} if prefix else {}
        return Response(codec.encode(self._document | servers), content_type=JSON)

    async def events(self) -> ResponseReturnValue:
        context = await self.context()
        context.check(permissions.CHAT, reads=True)
        if request.method == "HEAD":
            return Response(b"", content_type=EVENT_STREAM)
        asked = codec.structure(_query_fields(self._core, _Events), _Events)
        cursor = request.headers.get("Last-Event-ID") or asked.cursor
        close = request.scope["state"]["close_connection"]
        return await event_stream(self._core, self._registry, context, cursor, close, presence=asked.presence)

    async def export(self) -> ResponseReturnValue:
        credentials = self.credentials()
        fields = _query_fields(self._core, self._table.find("people.export").takes)
        return await export_stream(self._table, partial(self.context_of, credentials, required=True), fields)

    async def items(self, collection: str) -> ResponseReturnValue:
        context = await self.context()
        fields = _query_fields(self._core, self._table.find(_ITEMS).takes) | {"collection": collection}
        result = codec.to_plain(await self._table.run(context, _ITEMS, fields))
        return Response(codec.encode(result), content_type=JSON)

    async def page(self, name: str) -> ResponseReturnValue:
        if name not in self._web:
            raise Refusal("not_found", "no such page")
        content_type, content = self._web[name]
        return Response(content, content_type=content_type, headers={"Cache-Control": "no-cache"})

    # ---- refusals

    async def refused(self, refusal: Refusal) -> ResponseReturnValue:
        return _refusal_response(refusal)

    async def http_error(self, error: HTTPException) -> ResponseReturnValue:
        if request.path == "/v1/socket":
            return _no_upgrade()
        if isinstance(error, NotFound) and request.path.startswith("/v1/"):
            return _refusal_response(unknown_command(request.path.removeprefix("/v1/")))
        if isinstance(error, MethodNotAllowed):
            return _method_refused(sorted(error.valid_methods or ()))
        response = _refusal_response(_refusal_of(error, self._core))
        response.status_code = error.code or 500
        return response

    async def unexpected(self, error: Exception) -> ResponseReturnValue:
        return _refusal_response(unexpected_refusal())


async def _harden(response: Response) -> Response:
    for name, value in HARDENING.items():
        response.headers.setdefault(name, value)
    return response


async def _body_fields(core: Core, credentials: Credentials) -> dict[str, Any]:
    # A form of another site can be posted with a cookie; JSON cannot, without leave of the node's own page.
    is_json = request.mimetype == JSON
    if not is_json and (request.mimetype or credentials.by_browser):
        raise _not_json()
    body: bytes = await request.get_data(as_text=False)  # pyright: ignore[reportUnknownMemberType, reportAssignmentType]
    if body and not is_json:
        raise _not_json()
    values: Any = codec.decode(body, core.config.limits.json_depth) if body else {}
    if not isinstance(values, dict):
        raise Refusal("bad_request", "the body must be an object with the command's fields")
    return values  # pyright: ignore[reportUnknownVariableType]


def _not_json() -> Refusal:
    return Refusal("bad_request", f"the body must be JSON, with Content-Type: {JSON}")


@record(frozen=True)
class _Events:
    """What the query of an event stream may say."""

    cursor: str | None = None
    presence: bool = True


def _query_fields(core: Core, takes: type[Any]) -> dict[str, Any]:
    """The query's texts as what the fields of a command take; what does not fit is refused by the codec."""
    kinds = {codec.wire_name(name): kind for name, kind in get_type_hints(takes).items()}
    depth = core.config.limits.json_depth
    fields: dict[str, Any] = {}
    for name, values in request.args.lists():
        given = [_from_text(kinds.get(name), name, value, depth) for value in values]
        takes_many = _takes(kinds.get(name), list)
        if len(given) > 1 and not takes_many:
            raise Refusal("invalid", f"{name} is given {len(given)} times", path=name)
        fields[name] = given if takes_many else given[0]
    return fields


def _from_text(kind: Any, name: str, value: str, json_depth: int) -> Any:
    if _takes(kind, dict):
        try:
            return codec.decode(value.encode(errors="surrogatepass"), json_depth)
        except Refusal as refusal:
            raise Refusal(refusal.code, f"{name}: {refusal.message}", path=name) from None
    if _takes(kind, int) and value.isascii() and value.isdigit() and len(value) < 18:
        return int(value)
    if _takes(kind, bool) and value in ("true", "false"):
        return value == "true"
    return value


def _takes(kind: Any, wanted: type) -> bool:
    """Whether a field's type is `wanted`, bounded or optional."""
    return (
        kind is wanted
        or get_origin(kind) is wanted
        or any(_takes(part, wanted) for part in get_args(kind) if part is not None)
    )


def _slide_cookie(cookie: str) -> None:
    """The session's time has begun again: let the cookie's begin again with the answer to this request."""

    async def slide(response: Any) -> Any:
        if "Set-Cookie" not in response.headers:
            response.headers["Set-Cookie"] = cookie
        return response

    if has_request_context():  # else the head of the answer is gone already
        after_this_request(slide)


def _no_upgrade() -> Response:
    response = _refusal_response(Refusal("bad_request", _NO_UPGRADE))
    response.status_code = 426
    response.headers["Upgrade"] = "websocket"
    return response


def _refusal_of(error: HTTPException, core: Core) -> Refusal:
    """What the framework refuses, in our words."""
    if error.code == 404:
        return Refusal("not_found", "no such page")
    if error.code == 408:
        return Refusal("bad_request", "the request's body took too long to arrive")
    if error.code == 413:
        return Refusal("too_large", f"the request's body is larger than {core.config.limits.body_bytes} bytes")
    return Refusal("bad_request", error.name)


def _method_refused(allowed: list[str]) -> Response:
    wanted = " or ".join(method for method in allowed if method not in ("HEAD", "OPTIONS"))
    message = f"{request.method} is not allowed for this address; use {wanted}"
    response = _refusal_response(Refusal("bad_request", message))
    response.status_code = 405
    response.headers["Allow"] = ", ".join(allowed)
    return response


def _refusal_response(refusal: Refusal) -> Response:
    response = Response(codec.encode({"error": refusal.as_json()}), status=refusal.status, content_type=JSON)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(int(refusal.retry_after) + 1)
    return response


def _web_files() -> dict[str, tuple[str, bytes]]:
    """The files of `chatnode/web`, by name, with their types."""
    found: dict[str, tuple[str, bytes]] = {}
    for entry in resources.files("chatnode").joinpath("web").iterdir():
        kind = _WEB_TYPES.get("." + entry.name.rpartition(".")[2])
        if kind is not None:
            found[entry.name] = (kind, entry.read_bytes())
    return found
