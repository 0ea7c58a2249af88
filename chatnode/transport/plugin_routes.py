"""What plugins serve over HTTP beside their commands: routes and pages, below `/plugins/<name>/`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from html import escape
from typing import Any

from quart import Response as HttpResponse
from quart import request
from quart.typing import ResponseReturnValue
from quart_trio import QuartTrio

from chatnode.dispatch.context import Context
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.hooks.manager import Loaded
from chatnode.hooks.plugin import Page, Request, Response, Route
from chatnode.transport.origins import Credentials

SignIn = Callable[[Credentials, bool], Awaitable[Context]]
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

    async def asked_by(permission: str | None) -> Context:
        """Who asks, if they may; their request is counted like any other."""
        given = credentials()
        context = await sign_in(given, permission is not None)
        if permission is not None:
            context.check(permission, reads=request.method in _READING)
        if given.by_cookie and request.method not in _READING and request.mimetype != JSON:
            raise Refusal("bad_request", f"with a cookie, Content-Type must be {JSON}: other sites cannot send that")
        core.requests.take(context.account.key if context.account is not None else context.address)
        return context

    async def run_route(owner: Loaded, route: Route, path: dict[str, str]) -> ResponseReturnValue:
        context = owner.context_of(await asked_by(route.permission))
        return _answer(await route.handler(context, await _request(path)))

    async def show(owner: Loaded, page: Page, path: dict[str, str]) -> ResponseReturnValue:
        try:
            context = await asked_by(page.permission)
        except Refusal as refusal:
            return _html(page.title, f'<p>{escape(refusal.message)}. <a href="/">Sign in</a></p>', refusal.status)
        return _html(page.title, await page.render(owner.context_of(context), {**request.args, **path}))

    async def show_all() -> ResponseReturnValue:
        try:
            context = await asked_by("chat")
        except Refusal as refusal:
            return _html("Plugins", f'<p>{escape(refusal.message)}. <a href="/">Sign in</a></p>', refusal.status)
        links = [
            f'<li><a href="/plugins/{each.plugin.name}/{escape(page.path)}">{escape(page.title)}</a></li>'
            for each in loaded
            for page in each.plugin.pages
            if "<" not in page.path and context.may(page.permission, reads=True)
        ]
        return _html("Plugins", f"<ul>{''.join(links)}</ul>" if links else "<p>No plugin has a page for you.</p>")

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


def _html(title: str, content: str, status: int = 200) -> HttpResponse:
    """A page around what a plugin shows. The frame is the node's, and lets no script run."""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/page.css">'
        f"</head><body><main><h1>{escape(title)}</h1>{content}</main>"
        '<p><a href="/plugins">All pages</a></p></body></html>'
    )
    return HttpResponse(
        text.encode(), status=status, content_type=HTML, headers={"Content-Security-Policy": PAGE_POLICY}
    )
