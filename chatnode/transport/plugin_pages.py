"""Plugins' pages, below `/plugins/<name>/`."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping
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
from chatnode.hooks.forms import FORM, parse_form
from chatnode.hooks.manager import Loaded
from chatnode.hooks.pages import TOKEN_FIELD, PageContext
from chatnode.hooks.plugin import Page
from chatnode.hooks.routes import READING_METHODS
from chatnode.protocol import codec
from chatnode.transport.origins import Credentials

SignIn = Callable[[Credentials, bool], Awaitable[Caller]]
"""Creates a context from a request's credentials; the flag says whether a token is required. Raises `Refusal`."""

JSON = "application/json"
HTML = "text/html; charset=utf-8"
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action {}; "
    "frame-ancestors 'none'"
)


class PluginPages:
    """Every page of the plugins, and `/plugins`, which lists the pages."""

    def __init__(
        self, core: Core, plugins: Iterable[Loaded], credentials: Callable[[], Credentials], sign_in: SignIn
    ) -> None:
        self._core = core
        self._plugins = list(plugins)
        self._credentials = credentials
        self._sign_in = sign_in

    def add_routes(self, app: QuartTrio) -> None:
        """Let the application answer with them."""
        app.add_url_rule("/plugins", "plugins", self._show_all, methods=["GET"])
        for each in self._plugins:
            for page in each.plugin.pages:
                address = f"/plugins/{each.plugin.name}/{page.path}"
                methods = ["GET"] if page.submit is None else ["GET", "POST"]
                app.add_url_rule(address, f"page {address}", _alone(partial(self._show, each, page)), methods=methods)

    async def _asked_by(self, permission: str, form_of: str | None = None) -> Caller:
        """The requester, if they have the permission; the request counts against limits. `form_of`: the plugin whose
        form token is required.
        """
        given = self._credentials()
        caller = await self._sign_in(given, True)
        caller.check(permission, reads=request.method in READING_METHODS)
        self._core.requests.take(caller.payer)
        if form_of is not None:
            _check_form(given, form_of, await _fields())
        return caller

    async def _show(self, owner: Loaded, page: Page, path: dict[str, str]) -> ResponseReturnValue:
        submit, name = page.submit if request.method == "POST" else None, owner.plugin.name
        try:
            caller = await self._asked_by(page.permission, name if submit is not None else None)
        except Refusal as refusal:
            return _refused(page.title, refusal)
        query = {**request.args, **path}
        make = partial(PageContext, caller, owner.scope, _root(), _form_token(self._credentials(), name))
        if submit is None:
            return _html(page.title, await page.render(make(), query), form=page.submit is not None)
        sent = {field: value for field, value in (await _fields()).items() if field != TOKEN_FIELD}
        status, notice = 400, ""
        try:
            answer = await submit(make(), query, sent)
        except Refusal as refusal:
            status = refusal.status
            answer = {refusal.path: refusal.message} if refusal.path is not None and refusal.path in sent else {}
            notice = "" if answer else _notice(refusal)
        if isinstance(answer, str):
            return _go_on(make().url(answer))
        content = await page.render(make(sent, answer), query)
        return _html(page.title, notice + content, status, form=True)

    async def _show_all(self) -> ResponseReturnValue:
        as_json = request.accept_mimetypes.best_match(["text/html", JSON]) == JSON
        try:
            caller = await self._asked_by("chat")
        except Refusal as refusal:
            if as_json:
                raise
            return _refused("Plugins", refusal)
        pages = self._offered_to(caller)
        if as_json:
            listed = [{"title": title, "path": path} for title, path in pages]
            return HttpResponse(codec.encode({"pages": listed}), content_type=JSON, headers={"Vary": "Accept"})
        links = "".join(f'<li><a href="{_root()}{escape(path)}">{escape(title)}</a></li>' for title, path in pages)
        return _html("Plugins", f"<ul>{links}</ul>" if links else "<p>No plugin offers you a page.</p>")

    def _offered_to(self, caller: Caller) -> list[tuple[str, str]]:
        """The titles and the paths of those that are no part of another page."""
        return [
            (page.title, f"plugins/{each.plugin.name}/{page.path}")
            for each in self._plugins
            for page in each.plugin.pages
            if "<" not in page.path and caller.may(page.permission, reads=True)
        ]


def _alone(serve: Callable[[dict[str, str]], Awaitable[ResponseReturnValue]]) -> Any:
    """A view function; a plugin that raises SystemExit ends only the request. It accepts any names in the rule."""

    async def run(**path: str) -> ResponseReturnValue:
        try:
            return await serve(path)
        except SystemExit as error:
            raise RuntimeError("a plugin raised SystemExit") from error

    return run


def _form_token(given: Credentials, plugin: str) -> str:
    """Proves that a form came from one of the plugin's pages: creating it takes the session's token, and other sites
    can neither guess nor read it. It is valid as long as the session, also after a restart of the node."""
    return hmac.new((given.token or "").encode(), f"forms of {plugin}".encode(), "sha256").hexdigest()


def _check_form(given: Credentials, plugin: str, fields: Mapping[str, str]) -> None:
    """Raises `Refusal("forbidden")` for a form of another page, session or site."""
    sent, wanted = fields.get(TOKEN_FIELD, ""), _form_token(given, plugin)
    if not hmac.compare_digest(sent.encode(errors="replace"), wanted.encode()):
        raise Refusal(
            "forbidden",
            "This form was not sent from a page that you opened in this session; nothing was changed. Open the page "
            "again, and send the form from there",
        )


async def _fields() -> dict[str, str]:
    """The fields of a form. Raises `Refusal("bad_request")` if the body is not a form that can be read."""
    if request.mimetype != FORM:
        raise Refusal("bad_request", f"This page accepts forms as {FORM}")
    body: bytes = await request.get_data(as_text=False)  # pyright: ignore[reportUnknownMemberType, reportAssignmentType]
    return parse_form(body)


def _notice(refusal: Refusal) -> str:
    """An error of the form as a whole, not of one field."""
    return f'<p class="error" role="alert">{escape(refusal.message)}.</p>'


def _go_on(address: str) -> HttpResponse:
    """Redirect after a form, so that reloading the page does not submit it again."""
    location = quote(address, safe="/?#&=%~:@!$'()*+,;[]")
    return HttpResponse(b"", status=303, headers={"Location": location})


def _refused(title: str, refusal: Refusal) -> HttpResponse:
    """A page shown instead of one that the user may not see; after signing in, they return to its address."""
    query = request.query_string.decode("latin-1")
    here = quote(request.path.lstrip("/")) + (f"?{query}" if query else "")
    if refusal.code != "unauthenticated":
        again = f'<p><a href="{escape(_root() + here)}">Open the page again</a></p>' if request.method == "POST" else ""
        return _html(title, f"<p>{escape(refusal.message)}.</p>{again}", refusal.status)
    link = f"{_root()}#next={quote(here, safe='/')}"
    return _html(title, f'<p><a href="{escape(link)}">Sign in</a> to see this page.</p>', refusal.status)


def _root() -> str:
    """The node's home page, relative to the requested page, because a proxy may serve the node below a path."""
    return "../" * (request.path.count("/") - 1) or "./"


def _html(title: str, content: str, status: int = 200, *, form: bool = False) -> HttpResponse:
    """A page with a plugin's content in the node's frame, which does not allow scripts.

    `form`: the page may submit forms to the node. Without a referrer, browsers would not send their origin.
    """
    root = _root()
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><link rel="stylesheet" href="{root}page.css">'
        f"</head><body><main><h1>{escape(title)}</h1>{content}"
        f'<p class="links"><a href="{root}">Home</a> <a href="{root}plugins">All pages</a></p></main></body></html>'
    )
    headers = {"Content-Security-Policy": _PAGE_POLICY.format("'self'" if form else "'none'")}
    if form:
        headers["Referrer-Policy"] = "same-origin"
    return HttpResponse(text.encode(), status=status, content_type=HTML, headers=headers)
