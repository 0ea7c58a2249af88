"""The page for users who work with contacts: a list, and a form to add one."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from chatnode.api import PageContext
from chatnode_crm.contacts import CONTACTS

_SHOWN = 50


async def render(ctx: PageContext, query: Mapping[str, str]) -> str:
    """The first contacts by name, and the form with its errors."""
    page = await ctx.query_items(CONTACTS, limit=_SHOWN, fields="name,email")
    rows = "".join(f"<li>{escape(row['name'])} – {escape(row['email'])}</li>" for row in page.data)
    more = f"<p>The first {_SHOWN}.</p>" if page.next else ""
    added = "<p>The contact was added.</p>" if "added" in query else ""
    fields = _field(ctx, "name", "Name") + _field(ctx, "email", "Email")
    form = f'<form method="post">{ctx.form_token}{fields}<button>Add contact</button></form>'
    return f"{added}<ul>{rows}</ul>{more}{form}"


def _field(ctx: PageContext, name: str, label: str) -> str:
    error = ctx.errors.get(name, "")
    return (
        f'<div class="field"><label for="{name}">{label}</label>'
        f'<input id="{name}" name="{name}" value="{escape(ctx.sent.get(name, ""))}" required '
        f'aria-describedby="{name}-error"><p class="error" id="{name}-error" role="alert">{escape(error)}</p></div>'
    )


async def submit(ctx: PageContext, query: Mapping[str, str], sent: Mapping[str, str]) -> str | Mapping[str, str]:
    """Add a contact as the user who sent the form, with all checks of the command."""
    missing = {name: "fill in this field" for name in ("name", "email") if not sent.get(name, "").strip()}
    if missing:
        return missing
    await ctx.call("crm.contacts.add", name=sent["name"], email=sent["email"])
    return "?added=1"
