"""The page of a public form: plain HTML without scripts, and its small JSON for sites that have a form of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from chatnode.api import Response
from chatnode_crm.people.forms.rows import FormRow

TRAP = "fax_number_2"
"""A field that people do not see, and programs fill in."""
TOKEN = "opened"
CONSENT = "consent"
EMAIL = "email"
WHOLE = ""
"""The place of an error that concerns no single field."""

_LABELS = {
    "email": ("Email", "email", "email"), "name": ("Name", "text", "name"),
    "first_name": ("First name", "text", "given-name"), "last_name": ("Last name", "text", "family-name"),
    "company": ("Company", "text", "organization"), "phone": ("Phone", "tel", "tel"),
    "country": ("Country", "text", "country-name"), "city": ("City", "text", "address-level2"),
}  # fmt: skip
_STYLE = ".trap { position: absolute; left: -10000px; } label { display: block; margin: 0.8em 0; }"
_LONGEST = 255


def form_page(
    form: FormRow, token: str, sent: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> Response:
    """The form, with what was sent and what is wrong with it."""
    rows = "".join(_row(name, form, sent, errors) for name in (EMAIL, *form.fields))
    about = f"<p>{_lines(form.about)}</p>" if form.about else ""
    whole = f'<p class="error" role="alert">{escape(errors[WHOLE])}</p>' if WHOLE in errors else ""
    content = (
        f'{about}{whole}<form method="post">{rows}{_consent(form, sent, errors)}'
        f'<div class="trap" aria-hidden="true"><label>Leave this empty '
        f'<input name="{TRAP}" tabindex="-1" autocomplete="off"></label></div>'
        f'<input type="hidden" name="{TOKEN}" value="{escape(token)}"><p><button>Send</button></p></form>'
    )
    return _html(form, content, status)


def thanks_page(form: FormRow) -> Response:
    """The same for everybody, whatever the node knew of the email."""
    return _html(form, f'<p role="status">{_lines(form.thanks or "Thank you.")}</p>', 200)


def description(form: FormRow, token: str) -> Response:
    """What a site needs to show a form of its own, and to send it."""
    shown: dict[str, Any] = {
        "form": form.id,
        "title": form.title,
        "fields": [EMAIL, *form.fields],
        "required": [EMAIL, *form.required],
        TOKEN: token,
    }
    if form.about:
        shown["about"] = form.about
    if form.consent:
        shown["consent"] = {"version": form.consent_version, "text": form.consent}
    return as_json(shown)


def as_json(value: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), status, "application/json")


def _row(name: str, form: FormRow, sent: Mapping[str, str], errors: Mapping[str, str]) -> str:
    label, kind, fills = _LABELS[name]
    required = name == EMAIL or name in form.required
    return (
        f"<label>{label}{' *' if required else ''} "
        f'<input type="{kind}" name="{name}" value="{escape(sent.get(name, ""))}" autocomplete="{fills}" '
        f'maxlength="{_LONGEST}"{" required" if required else ""}{_invalid(name, errors)}></label>'
        f"{_error(name, errors)}"
    )


def _consent(form: FormRow, sent: Mapping[str, str], errors: Mapping[str, str]) -> str:
    if not form.consent:
        return ""
    is_current = sent.get(CONSENT) == str(form.consent_version)  # nobody agrees to a text that they have not seen
    checked = " checked" if is_current else ""
    return (
        f'<label><input type="checkbox" name="{CONSENT}" value="{form.consent_version}" required{checked}'
        f"{_invalid(CONSENT, errors)}> {_lines(form.consent)}</label>{_error(CONSENT, errors)}"
    )


def _invalid(name: str, errors: Mapping[str, str]) -> str:
    return f' aria-invalid="true" aria-describedby="error-{name}"' if name in errors else ""


def _error(name: str, errors: Mapping[str, str]) -> str:
    return f'<p class="error" id="error-{name}">{escape(errors[name])}</p>' if name in errors else ""


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in text.splitlines())


def _html(form: FormRow, content: str, status: int) -> Response:
    title = escape(form.title)
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="stylesheet" href="../../../page.css">'
        f"<style>{_STYLE}</style></head><body><main><h1>{title}</h1>{content}</main></body></html>"
    )
    return Response(text, status, "text/html; charset=utf-8", _headers(form.origins))


def _headers(origins: Sequence[str]) -> dict[str, str]:
    """`same-origin`: without a referrer, browsers would not send the page's origin with the form."""
    return {
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'self'; "
            f"frame-ancestors {' '.join(origins) or chr(39) + 'none' + chr(39)}"
        ),
    }
