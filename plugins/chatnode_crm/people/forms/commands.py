"""Managing public contact forms."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.api import Context, Nothing, Querying, Reader, Refusal, Transaction, command, is_blank, rfc3339
from chatnode_crm.lists.finding import find_open_list
from chatnode_crm.people.forms import rows
from chatnode_crm.people.forms.model import (
    ContactForm,
    ContactForms,
    CreateForm,
    FormReply,
    ListForms,
    OfForm,
    UpdateForm,
)
from chatnode_crm.people.forms.rows import FormRow
from chatnode_crm.permissions import CREATE, LISTS, TAGS, VIEW
from chatnode_crm.requester import actor_of
from chatnode_crm.tags.finding import find_tag

_TEXTS = ("about", "consent", "thanks")


@command("crm.forms.create", permission=CREATE)
async def create_form(ctx: Context, asked: CreateForm) -> FormReply:
    """Create a public contact form: anyone who knows its address can send it, without an account.

    It creates contacts, and fills empty fields of those with the same email; it never says whether an email is known.
    The address is not confirmed by an email.
    """
    values = attrs.asdict(asked)

    def write(tx: Transaction) -> ContactForm:
        form = rows.insert_form(tx, _columns(ctx, tx, values), actor_of(ctx))
        ctx.audit(tx, "forms.create", form.id)
        return _shown(ctx, tx, form)

    return FormReply(await ctx.write(write))


@command("crm.forms.update", permission=CREATE)
async def update_form(ctx: Context, asked: UpdateForm) -> FormReply:
    """Change a public contact form, or close it with `active` false."""
    given = {name: value for name, value in attrs.asdict(asked).items() if name != "form" and value is not None}

    def write(tx: Transaction) -> ContactForm:
        form = rows.find_form(tx, asked.form)
        values = _columns(ctx, tx, given)
        _check_required({"fields": form.fields, "required": form.required} | values)
        changed = rows.change_form(tx, form, values, actor_of(ctx))
        if changed != form:
            ctx.audit(tx, "forms.update", form.id)
        return _shown(ctx, tx, changed)

    return FormReply(await ctx.write(write))


@command("crm.forms.delete", permission=CREATE)
async def delete_form(ctx: Context, asked: OfForm) -> Nothing:
    """Delete a public contact form. Contacts that came from it stay, with what they agreed to."""

    def write(tx: Transaction) -> None:
        form = rows.find_form(tx, asked.form)
        rows.delete_form(tx, form)
        ctx.audit(tx, "forms.delete", form.id)

    await ctx.write(write)
    return Nothing()


@command("crm.forms.list", permission=VIEW, reads=True)
async def list_forms(ctx: Context, asked: ListForms) -> ContactForms:
    """The public contact forms, oldest first."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> ContactForms:
        found = rows.forms_page(reader, asked.after, limit)
        return ContactForms(
            [_shown(ctx, reader, each) for each in found], found[-1].key if len(found) == limit else None
        )

    return await ctx.read(read)


def _columns(ctx: Context, tx: Transaction, given: dict[str, Any]) -> dict[str, Any]:
    """Columns of the table; lists and tags by their keys, which the requester may give out."""
    values = dict(given)
    for name in _TEXTS:
        if name in values:
            values[name] = None if is_blank(values[name]) else values[name].strip()
    if "active" in values:
        values["is_active"] = int(values.pop("active"))
    if "list" in values:
        values["list"] = _list_key(ctx, tx, values["list"])
    if "tags" in values:
        if values["tags"]:
            ctx.check(TAGS)
        values["tags"] = [find_tag(tx, each, f"tags.{place}").key for place, each in enumerate(values["tags"])]
    for name in ("fields", "required", "origins"):
        if name in values:
            values[name] = list(dict.fromkeys(values[name]))
    if "fields" in values and "required" in values:
        _check_required(values)
    return values


def _list_key(ctx: Context, tx: Transaction, name: str | None) -> int | None:
    if not name:
        return None
    ctx.check(LISTS)
    return find_open_list(tx, name).key


def _check_required(values: dict[str, Any]) -> None:
    for place, each in enumerate(values["required"]):
        if each not in values["fields"]:
            raise Refusal("invalid", f"{each} is not one of the form's fields", path=f"required.{place}")
    if "name" in values["fields"] and {"first_name", "last_name"} & {*values["fields"]}:
        raise Refusal("invalid", "ask for name, or for first_name and last_name", path="fields")


def _shown(ctx: Context, reader: Querying, form: FormRow) -> ContactForm:
    (list_id,) = reader.execute("SELECT (SELECT id FROM crm_lists WHERE key = ?)", (form.list,)).fetchone()
    tags = [
        row[0]
        for key in form.tags
        if (row := reader.execute("SELECT id FROM crm_tags WHERE key = ?", (key,)).fetchone()) is not None
    ]
    return ContactForm(
        form.id, form.name, form.title, ctx.url(f"forms/{form.id}"), list(form.fields), list(form.required), tags,
        list(form.origins), form.consent_version, form.is_active, form.posts, rfc3339(form.created_at),
        about=form.about, list=list_id, consent=form.consent, thanks=form.thanks,
    )  # fmt: skip


COMMANDS = (create_form, update_form, delete_form, list_forms)
