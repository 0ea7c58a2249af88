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
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.table import Command, CommandTable, unknown_command
from chatnode.errors import Refusal
from chatnode.hooks.manager import Loaded
from chatnode.model import permissions
from chatnode.protocol import codec
from chatnode.routing.sessions import SessionRegistry
from chatnode.services.sign_in import authenticate
from chatnode.transport import monitoring, openapi, plugin_routes
from chatnode.transport.event_stream import EVENT_STREAM, event_stream
from chatnode.transport.failures import unexpected_refusal
from chatnode.transport.monitoring import JSON, Health
from chatnode.transport.origins import Credentials, clear_cookie, set_cookie
from chatnode.transport.personal_export import export_stream

_SIGN_IN_COMMANDS = ("sessions.create", "invites.accept")
_SIGN_OUT = "sessions.revoke"
_ITEMS = "items.query"
_NO_UPGRADE = (
    "this address takes WebSocket connections, and no Upgrade field came; a reverse proxy has to pass on Upgrade and "
    "Connection"
)
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_WEB_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript"}


def make_app(
    core: Core, table: CommandTable, registry: SessionRegistry, health: Health, plugins: Iterable[Loaded] = ()
) -> QuartTrio:
    """The HTTP application; everything it needs is in its arguments."""
    app = QuartTrio("chatnode", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = core.config.limits.body_bytes or None
    web = _web_files()
    loaded = list(plugins)
    document = openapi.document(table, loaded)

    @app.get("/v1/openapi.json")
    async def openapi_document() -> ResponseReturnValue:  # pyright: ignore[reportUnusedFunction]
        return Response(codec.encode(document), content_type=JSON)

    @app.get("/v1/events")
    async def events() -> ResponseReturnValue:  # pyright: ignore[reportUnusedFunction]
        context = await _context(core, _credentials(core))
        context.check(permissions.CHAT, reads=True)
        if request.method == "HEAD":
            return Response(b"", content_type=EVENT_STREAM)
        cursor = request.headers.get("Last-Event-ID") or request.args.get("cursor")
        close = request.scope["state"]["close_connection"]
        presence = request.args.get("presence") != "false"
        return await event_stream(core, registry, context, cursor, close, presence=presence)

    @app.get("/v1/export")
    async def export() -> ResponseReturnValue:  # pyright: ignore[reportUnusedFunction]
        credentials = _credentials(core)
        fields = _query_fields(core, table.find("people.export"))
        return await export_stream(table, lambda: _context(core, credentials), fields)

    async def run_command(name: str) -> ResponseReturnValue:
        found = table.find(name)
        reading = request.method in ("GET", "HEAD")
        credentials = _credentials(core)
        context = await _context(core, credentials, required=found.permission is not None)
        fields = _query_fields(core, found) if reading else await _body_fields(core, credentials)
        result = codec.to_plain(await table.run(context, name, fields))
        response = Response(codec.encode(result), content_type=JSON)
        if name in _SIGN_IN_COMMANDS and credentials.own_page:
            response.headers["Set-Cookie"] = set_cookie(core, credentials, result["token"])
        if name == _SIGN_OUT and credentials.by_cookie and fields["session"] == context.session:
            response.headers["Set-Cookie"] = clear_cookie(credentials)
        return response

    for each in table:
        methods = ["GET", "POST"] if each.reads else ["POST"]
        app.add_url_rule(f"/v1/{each.name}", each.name, partial(run_command, each.name), methods=methods)

    @app.get("/items/<collection>")
    async def items(collection: str) -> ResponseReturnValue:  # pyright: ignore[reportUnusedFunction]
        context = await _context(core, _credentials(core))
        fields = _query_fields(core, table.find(_ITEMS)) | {"collection": collection}
        result = codec.to_plain(await table.run(context, _ITEMS, fields))
        return Response(codec.encode(result), content_type=JSON)

    plugin_routes.add_routes(
        app, core, loaded, lambda: _credentials(core), lambda given, required: _context(core, given, required=required)
    )
    monitoring.add_routes(app, core, registry, health, lambda: _context(core, _credentials(core)))

    @app.get("/", defaults={"name": "index.html"})
    @app.get("/<name>")
    async def page(name: str) -> ResponseReturnValue:  # pyright: ignore[reportUnusedFunction]
        if name not in web:
            raise Refusal("not_found", "there is no such page")
        content_type, content = web[name]
        return Response(content, content_type=content_type, headers={"Cache-Control": "no-cache"})

    @app.errorhandler(Refusal)
    async def refused(refusal: Refusal) -> ResponseReturnValue:  # pyright: ignore[reportUnusedFunction]
        return _refusal_response(refusal)

    @app.errorhandler(HTTPException)
    async def http_error(error: HTTPException) -> ResponseReturnValue:  # pyright: ignore[reportUnusedFunction]
        if request.path == "/v1/socket":
            return _no_upgrade()
        if isinstance(error, NotFound) and request.path.startswith("/v1/"):
            return _refusal_response(unknown_command(request.path.removeprefix("/v1/")))
        if isinstance(error, MethodNotAllowed):
            return _method_refused(sorted(error.valid_methods or ()))
        response = _refusal_response(_refusal_of(error, core))
        response.status_code = error.code or 500
        return response

    @app.errorhandler(Exception)
    async def unexpected(error: Exception) -> ResponseReturnValue:  # pyright: ignore[reportUnusedFunction]
        return _refusal_response(unexpected_refusal())

    @app.after_request
    async def harden(response: Response) -> Response:  # pyright: ignore[reportUnusedFunction]
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
        response.headers.setdefault("Cache-Control", "no-store")  # answers are personal
        return response

    return app


def _credentials(core: Core) -> Credentials:
    headers = request.headers
    client = request.scope["client"]
    return Credentials.of_fields(client[0] if client else "", lambda name: ",".join(headers.getlist(name)), core)


async def _context(core: Core, credentials: Credentials, *, required: bool = True) -> Caller:
    context = Caller(core, address=credentials.address)
    if required:
        if credentials.token is None:
            raise Refusal("unauthenticated", "send a token: Authorization: Bearer …")
        found = await authenticate(core, credentials.token)
        context.sign_in(found)
        if found.prolonged and credentials.by_cookie:
            _slide_cookie(core, credentials, credentials.token)
    return context


async def _body_fields(core: Core, credentials: Credentials) -> dict[str, Any]:
    # A form of another site can be posted with a cookie; JSON cannot, without leave of the node's own page.
    is_json = request.mimetype == JSON
    if not is_json and (request.mimetype or credentials.by_cookie):
        raise _not_json()
    body: bytes = await request.get_data(as_text=False)  # pyright: ignore[reportUnknownMemberType, reportAssignmentType]
    if body and not is_json:
        raise _not_json()
    values: Any = codec.decode(body, core.config.limits.json_depth) if body else {}
    if not isinstance(values, dict):
        raise Refusal("bad_request", "the body must be an object with the command's fields")
    return values  # pyright: ignore[reportUnknownVariableType]


def _not_json() -> Refusal:
    return Refusal("bad_request", f"the body must be JSON, and Content-Type say so: {JSON}")


def _query_fields(core: Core, found: Command[Any, Any]) -> dict[str, Any]:
    """The query's texts as what the command's fields take; what does not fit is refused by the codec."""
    kinds = {codec.wire_name(name): kind for name, kind in get_type_hints(found.takes).items()}
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


def _slide_cookie(core: Core, credentials: Credentials, token: str) -> None:
    """The session's time has begun again: let the cookie's begin again with the answer to this request."""

    async def slide(response: Any) -> Any:
        if "Set-Cookie" not in response.headers:
            response.headers["Set-Cookie"] = set_cookie(core, credentials, token)
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
        return Refusal("not_found", "there is no such page")
    if error.code == 408:
        return Refusal("bad_request", "the request's body took too long to come")
    if error.code == 413:
        return Refusal("too_large", f"the request's body is larger than {core.config.limits.body_bytes} bytes")
    return Refusal("bad_request", error.name)


def _method_refused(allowed: list[str]) -> Response:
    wanted = " or ".join(method for method in allowed if method not in ("HEAD", "OPTIONS"))
    message = f"{request.method} is not for this address; use {wanted}"
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
