"""What plugins serve over HTTP beside their commands: routes and pages, below `/plugins/<name>/`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from html import escape
from typing import Any
from urllib.parse import quote

from quart import Response as HttpResponse
from quart import request
from quart.typing import ResponseReturnValue
from quart_trio import QuartTrio

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.hooks.manager import Loaded
from chatnode.hooks.plugin import Page, Request, Response, Route
from chatnode.protocol import codec
from chatnode.transport.origins import Credentials

SignIn = Callable[[Credentials, bool], Awaitable[Caller]]
"""Makes a context of a request's credentials; the flag says whether there must be a token. Raises `Refusal`."""

JSON = "application/json"
HTML = "text/html; charset=utf-8"
PAGE_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_READING = ("GET", "HEAD")


def add_routes(
    app: QuartTrio, core: Core, plugins: Iterable[Loaded], credentials: Callable[[], Credentials], sign_in: SignIn
) -> None:
    """Add every route and page of the plugins, and `/plugins`, which lists the pages."""
    loaded = list(plugins)

    async def asked_by(permission: str | None) -> Caller:
        """Who asks, if they may; their request is counted like any other."""
        given = credentials()
        context = await sign_in(given, permission is not None)
        if permission is not None:
            context.check(permission, reads=request.method in _READING)
        if given.by_cookie and request.method not in _READING and request.mimetype != JSON:
            raise Refusal("bad_request", f"with a cookie, Content-Type must be {JSON}, which other sites cannot send")
        core.requests.take(context.payer)
        return context

    async def run_route(owner: Loaded, route: Route, path: dict[str, str]) -> ResponseReturnValue:
        context = owner.context_of(await asked_by(route.permission))
        return _answer(await route.handler(context, await _request(path)))

    async def show(owner: Loaded, page: Page, path: dict[str, str]) -> ResponseReturnValue:
        try:
            context = await asked_by(page.permission)
        except Refusal as refusal:
            return _refused(page.title, refusal)
        return _html(page.title, await page.render(owner.context_of(context), {**request.args, **path}))

    async def show_all() -> ResponseReturnValue:
        as_json = request.accept_mimetypes.best_match(["text/html", JSON]) == JSON
        try:
            context = await asked_by("chat")
        except Refusal as refusal:
            if as_json:
                raise
            return _refused("Plugins", refusal)
        pages = [
            (page.title, f"plugins/{each.plugin.name}/{page.path}")
            for each in loaded
            for page in each.plugin.pages
            if "<" not in page.path and context.may(page.permission, reads=True)
        ]
        if as_json:
            listed = [{"title": title, "path": path} for title, path in pages]
            return HttpResponse(codec.encode({"pages": listed}), content_type=JSON, headers={"Vary": "Accept"})
        links = "".join(f'<li><a href="{_root()}{escape(path)}">{escape(title)}</a></li>' for title, path in pages)
        return _html("Plugins", f"<ul>{links}</ul>" if links else "<p>No plugin offers you a page.</p>")

    app.add_url_rule("/plugins", "plugins", show_all, methods=["GET"])
    for each in loaded:
        name = each.plugin.name
        for route in each.plugin.routes:
            address = f"/plugins/{name}/{route.rule}"
            serve = _alone(partial(run_route, each, route))
            app.add_url_rule(address, f"route {address}", serve, methods=list(route.methods))
        for page in each.plugin.pages:
            address = f"/plugins/{name}/{page.path}"
            app.add_url_rule(address, f"page {address}", _alone(partial(show, each, page)), methods=["GET"])


def _alone(serve: Callable[[dict[str, str]], Awaitable[ResponseReturnValue]]) -> Any:
    """What serves an address; a plugin that exits ends only the request. A rule may have any names."""

    async def run(**path: str) -> ResponseReturnValue:
        try:
            return await serve(path)
        except SystemExit as error:
            raise RuntimeError("a plugin raised SystemExit") from error

    return run


async def _request(path: dict[str, str]) -> Request:
    body: bytes = await request.get_data(as_text=False)  # pyright: ignore[reportUnknownMemberType, reportAssignmentType]
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(request.method, path, dict(request.args), headers, body)


def _answer(response: Response) -> HttpResponse:
    body = response.body.encode() if isinstance(response.body, str) else response.body
    return HttpResponse(
        body, status=response.status, content_type=response.content_type, headers=dict(response.headers)
    )


def _refused(title: str, refusal: Refusal) -> HttpResponse:
    """A page shown instead of one that the user may not see; after signing in they return to its address."""
    if refusal.code != "unauthenticated":
        return _html(title, f"<p>{escape(refusal.message)}.</p>", refusal.status)
    query = request.query_string.decode("latin-1")
    here = quote(request.path.lstrip("/")) + (f"?{query}" if query else "")
    link = f"{_root()}#next={quote(here, safe='/')}"
    return _html(title, f'<p><a href="{escape(link)}">Sign in</a> to see this page.</p>', refusal.status)


def _root() -> str:
    """The node's own page, as seen from the page that is asked for: a proxy may serve the node below a path."""
    return "../" * (request.path.count("/") - 1) or "./"


def _html(title: str, content: str, status: int = 200) -> HttpResponse:
    """A page around what a plugin shows. The frame is the node's, and lets no script run."""
    root = _root()
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><link rel="stylesheet" href="{root}page.css">'
        f"</head><body><main><h1>{escape(title)}</h1>{content}"
        f'<p class="links"><a href="{root}">Home</a> <a href="{root}plugins">All pages</a></p></main></body></html>'
    )
    return HttpResponse(
        text.encode(), status=status, content_type=HTML, headers={"Content-Security-Policy": PAGE_POLICY}
    )
