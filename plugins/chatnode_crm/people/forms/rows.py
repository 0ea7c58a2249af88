"""Public forms in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import orjson

from chatnode.api import Querying, Refusal, Transaction, new_id, record

_JSON = ("fields", "required", "tags", "origins")


@record(frozen=True)
class FormRow:
    """A row of `crm_forms`. `list` and `tags` are keys."""

    key: int
    id: str
    name: str
    title: str
    about: str | None
    fields: Sequence[str] = attrs.field(converter=orjson.loads)
    required: Sequence[str] = attrs.field(converter=orjson.loads)
    list: int | None
    tags: Sequence[int] = attrs.field(converter=orjson.loads)
    origins: Sequence[str] = attrs.field(converter=orjson.loads)
    consent: str | None
    consent_version: int
    thanks: str | None
    is_active: bool = attrs.field(converter=bool)
    posts: int
    created_at: int


_COLUMNS = ", ".join(each.name for each in attrs.fields(FormRow))


def find_form(reader: Querying, id: str) -> FormRow:
    """Raises `Refusal("not_found")`."""
    row = reader.execute(f"SELECT {_COLUMNS} FROM crm_forms WHERE id = ?", (id,)).fetchone()  # noqa: S608 -- constants
    if row is None:
        raise Refusal("not_found", "no such form", path="form")
    return FormRow(*row)


def forms_page(reader: Querying, after: int, limit: int) -> list[FormRow]:
    """Oldest first."""
    rows = reader.execute(
        f"SELECT {_COLUMNS} FROM crm_forms WHERE key > ? ORDER BY key LIMIT ?",  # noqa: S608 -- constants
        (after, limit),
    )
    return [FormRow(*row) for row in rows]


def insert_form(tx: Transaction, values: dict[str, Any], actor: int | None) -> FormRow:
    """A new form; `values` are its columns by name."""
    id = new_id()
    consent = values["consent"]
    stored = _stored(values) | {
        "id": id, "consent_version": 1 if consent else 0, "created_at": tx.now, "created_by": actor,
        "updated_at": tx.now, "updated_by": actor,
    }  # fmt: skip
    names = ", ".join(stored)
    places = ", ".join(f":{name}" for name in stored)
    tx.execute(f"INSERT INTO crm_forms ({names}) VALUES ({places})", stored)  # noqa: S608 -- our own names
    if consent:
        _keep_text(tx, id, 1, consent)
    return find_form(tx, id)


def change_form(tx: Transaction, form: FormRow, values: dict[str, Any], actor: int | None) -> FormRow:
    """Change columns. A new text to agree to is a new version: what others agreed to stays as it was."""
    stored = _stored(values)
    if values.get("consent", form.consent) != form.consent:
        stored["consent_version"] = form.consent_version + 1
        if values["consent"]:
            _keep_text(tx, form.id, form.consent_version + 1, values["consent"])
    stored |= {"updated_at": tx.now, "updated_by": actor}
    sets = ", ".join(f"{name} = :{name}" for name in stored)
    tx.execute(f"UPDATE crm_forms SET {sets} WHERE key = :key", stored | {"key": form.key})  # noqa: S608
    return find_form(tx, form.id)


def delete_form(tx: Transaction, form: FormRow) -> None:
    """Delete a form. Texts that contacts agreed to stay, because their agreements name them."""
    tx.execute("DELETE FROM crm_forms WHERE key = ?", (form.key,))
    tx.execute(
        "DELETE FROM crm_consent_texts WHERE form = :form AND NOT EXISTS (SELECT 1 FROM crm_consents c "
        "WHERE c.form = crm_consent_texts.form AND c.version = crm_consent_texts.version)",
        {"form": form.id},
    )


def _stored(values: dict[str, Any]) -> dict[str, Any]:
    return {name: orjson.dumps(value).decode() if name in _JSON else value for name, value in values.items()}


def _keep_text(tx: Transaction, form: str, version: int, text: str) -> None:
    tx.execute(
        "INSERT INTO crm_consent_texts (form, version, text, at) VALUES (?, ?, ?, ?)", (form, version, text, tx.now)
    )
