"""What a plugin's page gets: the context of who asks, links that hold behind any proxy, and what a form sent."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from types import MappingProxyType

from chatnode.dispatch.caller import Caller
from chatnode.hooks.context import Context, Scope

TOKEN_FIELD = "form_token"
_NOTHING: Mapping[str, str] = MappingProxyType({})


class PageContext(Context):
    """The context of a page.

    `sent` and `errors` are empty until a form was refused: then `render` is called again with what the user sent, and
    what is wrong with it, by the names of the fields.
    """

    __slots__ = ("_root", "_token", "errors", "sent")

    def __init__(
        self,
        caller: Caller,
        scope: Scope,
        root: str,
        token: str,
        sent: Mapping[str, str] = _NOTHING,
        errors: Mapping[str, str] = _NOTHING,
    ) -> None:
        super().__init__(caller, scope)
        self._root = root
        self._token = token
        self.sent: Mapping[str, str] = sent
        self.errors: Mapping[str, str] = errors

    @property
    def form_token(self) -> str:
        """HTML that each `<form method="post">` of a page must contain: it shows that the form is the node's own.

        It holds for the user's session, for all forms of the plugin.
        """
        return f'<input type="hidden" name="{TOKEN_FIELD}" value="{escape(self._token)}">'

    def url(self, path: str = "") -> str:
        """A link for the page, relative to it, so that it holds wherever a proxy serves the node.

        `/…` is an address of the node, anything else one below `/plugins/<name>/`. For a link that leaves the page,
        such as in a message, put `ctx.base_url` before an address of the node.
        """
        local = path if path.startswith("/") else f"plugins/{self.name}/{path}"
        return f"{self._root}{local.lstrip('/')}"
