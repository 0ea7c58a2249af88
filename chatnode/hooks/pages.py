"""What a plugin's page gets: the requester's context, links that work behind any proxy, and what a form submitted."""

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

    `sent` and `errors` are empty unless a form was refused: then `render` is called again with what the user submitted
    and with the error messages, both by field name.
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
        """HTML that each `<form method="post">` of a page must contain. It proves that the form came from the node.

        It is valid for the user's session and for all forms of the plugin.
        """
        return f'<input type="hidden" name="{TOKEN_FIELD}" value="{escape(self._token)}">'

    def url(self, path: str = "") -> str:
        """A link from this page, relative to it, so that it works wherever a proxy serves the node.

        `/…` is relative to the node, anything else to `/plugins/<name>/`. For a link that is used outside the page,
        such as in a message, put `ctx.base_url` before a path on the node.
        """
        local = path if path.startswith("/") else f"plugins/{self.name}/{path}"
        return f"{self._root}{local.lstrip('/')}"
