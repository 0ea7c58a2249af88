"""The address of a public form. Anyone may see it and send it, without an account.

There is no session behind a form, so a page of another site that makes a browser send it gains nothing that it could
not have sent itself: no token against that is needed. `origins` only keeps other sites from showing the form as theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import attrs

from chatnode.api import Context, Refusal, Request, Response, Route, now_ms, parse_form, record
from chatnode_crm.contacts.completing import additions
from chatnode_crm.contacts.preparing import rules_of
from chatnode_crm.contacts.values import Values
from chatnode_crm.people.forms import page
from chatnode_crm.people.forms.checking import check_sent
from chatnode_crm.people.forms.rows import FormRow, find_form
from chatnode_crm.people.forms.storing import store_sent
from chatnode_crm.settings import CrmSettings

_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_MOST_FIELDS = 100
_MOST_BYTES = 32_768
_OPEN_SECONDS = 86_400.0
_PURPOSE = "form"
_TIME = re.compile(r"[0-9]{1,15}")
"""Milliseconds. Longer ones are nobody's, and `int` refuses very long ones."""


@record(frozen=True)
class _Sent:
    """What a visitor sent; `as_json`, by a script."""

    fields: Mapping[str, str]
    as_json: bool


async def show_form(ctx: Context, request: Request) -> Response:
    """The form: a page, or for a site with a form of its own the description of it as JSON."""
    form = await _open_form(ctx, request)
    token = _token(ctx, form)
    accepted = request.headers.get("accept", "")
    if _JSON in accepted and "text/html" not in accepted:
        return _shared(page.description(form, token), form, request)
    return page.form_page(form, token, {}, {})


async def allow_origin(ctx: Context, request: Request) -> Response:
    """What a browser asks before a script of another site may send the form as JSON."""
    form = await _open_form(ctx, request)
    return _shared(Response(status=204, content_type=""), form, request)


async def send_form(ctx: Context, request: Request) -> Response:
    """Store what a visitor sent. The answer is the same whether or not the email was known."""
    form = await _open_form(ctx, request)
    _check_origin(ctx, form, request)
    sent = _read(request, await request.body())
    values, errors = check_sent(form, sent.fields, rules_of(ctx))
    early = _check_opened(ctx, form, sent.fields.get(page.TOKEN, ""))
    if early is not None:
        errors.setdefault(page.WHOLE, early)
    if sent.fields.get(page.TRAP):
        errors = {}  # a program filled it in: it learns nothing, and nothing is stored
    elif not errors:
        await _store(ctx, form, values)
    if errors:
        response = _refused(ctx, form, sent, errors)
    else:
        response = page.as_json({"ok": True}) if sent.as_json else page.thanks_page(form)
    return _shared(response, form, request)


async def _store(ctx: Context, form: FormRow, values: Values) -> None:
    [more] = await additions(ctx, [values], rules_of(ctx))
    await ctx.write(lambda tx: store_sent(tx, form, values, more), repeatable=True)


async def _open_form(ctx: Context, request: Request) -> FormRow:
    form = await ctx.read(lambda reader: find_form(reader, request.path["form"]))
    if not form.is_active:
        raise Refusal("not_found", "no such form", path="form")
    return form


# ---- what was sent


def _read(request: Request, body: bytes) -> _Sent:
    """Raises `Refusal("bad_request")` for anything but a form or an object of strings."""
    if request.media_type == _JSON:
        return _Sent(_of_json(body), True)
    if request.media_type != _FORM:
        raise Refusal("bad_request", f"send the form as {_FORM} or as {_JSON}", path="Content-Type")
    return _Sent(parse_form(body, _MOST_FIELDS), False)


def _of_json(body: bytes) -> dict[str, str]:
    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no character
    except (ValueError, RecursionError):
        raise Refusal("bad_request", "the body is not JSON") from None
    if not isinstance(found, dict):
        raise Refusal("bad_request", "the body is not a JSON object")
    fields: dict[str, str] = {}
    for name, value in cast("dict[str, Any]", found).items():
        if isinstance(value, bool | int) and name == page.CONSENT:
            value = str(int(value)) if value else ""
        if value is None:
            value = ""
        if not isinstance(value, str):
            raise Refusal("bad_request", f"{name[:80]} must be a string", path=name[:80])
        fields[name] = value
    return fields


# ---- when it was opened


def _token(ctx: Context, form: FormRow) -> str:
    """Says when the form was opened, and that this node says so."""
    now = now_ms()
    return f"{now}.{ctx.sign(_PURPOSE, form.id, now, seconds=_OPEN_SECONDS)}"


def _check_opened(ctx: Context, form: FormRow, token: str) -> str | None:
    """What is wrong if the form was opened too long ago, or so shortly that no person can have filled it in."""
    opened = _opened_at(ctx, form, token)
    if opened is None:
        return "The form was open for too long. Please send it again."
    if now_ms() - opened < ctx.settings(CrmSettings).form_least_seconds * 1000:
        return "That was very quick. Please wait a few seconds, and send the form again."
    return None


def _refused(ctx: Context, form: FormRow, sent: _Sent, errors: Mapping[str, str]) -> Response:
    """The form again, with what is wrong. It counts as opened when it was opened first, so waiting helps."""
    token = sent.fields.get(page.TOKEN, "")
    if _opened_at(ctx, form, token) is None:
        token = _token(ctx, form)
    if not sent.as_json:
        return page.form_page(form, token, sent.fields, errors, 400)
    message = errors.get(page.WHOLE, "some fields are not valid")
    fields = {name: text for name, text in errors.items() if name != page.WHOLE}
    return page.as_json({"error": {"code": "invalid", "message": message, "fields": fields}, page.TOKEN: token}, 400)


def _opened_at(ctx: Context, form: FormRow, token: str) -> int | None:
    """The time in a token; None for one that is not the node's, or has expired."""
    opened, _, signature = token.partition(".")
    if not _TIME.fullmatch(opened) or not ctx.verify(signature, _PURPOSE, form.id, int(opened)):
        return None
    return int(opened)


# ---- other sites


def _check_origin(ctx: Context, form: FormRow, request: Request) -> None:
    """Raises `Refusal("forbidden")` for a page of a site that the form is not for. Only browsers send an origin."""
    origin = request.headers.get("origin")
    if origin is None or origin in form.origins or _is_own(ctx, origin, request.headers.get("host", "")):
        return
    raise Refusal("forbidden", "this form cannot be sent from this site")


def _is_own(ctx: Context, origin: str, host: str) -> bool:
    """What a visitor sends is compared and never taken apart: it may be anything."""
    own = urlsplit(ctx.base_url)
    return origin == f"{own.scheme}://{own.netloc}" or (host != "" and origin in (f"http://{host}", f"https://{host}"))


def _shared(response: Response, form: FormRow, request: Request) -> Response:
    """The response, which a script of one of the form's origins may read."""
    origin = request.headers.get("origin", "")
    headers = {**response.headers, "Vary": "Origin, Accept"}
    if origin in form.origins:
        headers |= {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Max-Age": "600",
        }
    return attrs.evolve(response, headers=headers)


ROUTES = (
    Route("forms/<form>", show_form, None, ("GET",), "A public contact form."),
    Route(
        "forms/<form>", send_form, None, ("POST",), "Send a public contact form.",
        most_bytes=_MOST_BYTES, idle_seconds=20.0, limit="crm_forms",
    ),
    Route("forms/<form>", allow_origin, None, ("OPTIONS",), "Which sites may send the form."),
)  # fmt: skip
