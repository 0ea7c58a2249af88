"""Checks what plugins leave in a draft: a message is stored only as a client could have posted it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Annotated, Any

import attrs

from chatnode.errors import Refusal
from chatnode.model.actions import MOST_ACTIONS, Action, Actions
from chatnode.model.fields import Caption, Items, Metadata
from chatnode.model.messages import FileRef, Location, Media, Notice
from chatnode.model.records import record
from chatnode.protocol import codec
from chatnode.storage.messages import buttons
from chatnode.storage.messages.posting import Draft


@record
class _Changed:
    """The fields of a post that a plugin may change, with the bounds that they have for clients."""

    text: Caption = ""
    metadata: Metadata | None = None
    location: Location | None = None
    system: Notice | None = None
    actions: Annotated[list[Action], Items(MOST_ACTIONS)] | None = None


_FIELD_OF = {Location: "location", Notice: "system", Actions: "actions"}


def copied(draft: Draft) -> Draft:
    """The draft that plugins get. They may change its parts in place: what the client sent stays as it was."""
    content, metadata, files = deepcopy((draft.content, draft.metadata, [*draft.files]))
    return attrs.evolve(draft, content=content, metadata=metadata, files=files)


def fault_of(before: Draft, after: Draft) -> str | None:
    """What is wrong with a draft after a plugin has prepared it; None if nothing is. `before` shares no part with it.

    What the plugin has not changed is not checked: an edited message may be older than a bound.
    """
    files: list[object] = [*after.files]
    if (
        type(after.content) is not type(before.content)
        or bool(files) != bool(before.files)
        or not all(isinstance(each, FileRef | Media) for each in files)
    ):
        return f"left content or files that do not belong to a message of kind {before.kind}"
    try:
        _check(before, after)
    except Refusal as refusal:
        return f"left a draft that cannot be posted: {refusal.message}"
    except (AttributeError, TypeError, ValueError):
        return "left a draft with a value that cannot be encoded"
    return None


def _check(before: Draft, after: Draft) -> None:
    """Raises `Refusal`, and other exceptions for a value of the wrong type."""
    fields, earlier = _fields(after), _fields(before)
    changed = {name: value for name, value in fields.items() if value != earlier[name]}
    codec.encode(changed)
    codec.structure(changed, _Changed)
    if before.kind == "text" and before.text and not after.text:
        raise Refusal("invalid", "text has 0 characters; the minimum is 1", path="text")
    if isinstance(after.content, Actions) and "actions" in changed:
        buttons.check(after.content.actions)
    if after.files != before.files:
        for each in after.files:
            codec.structure(codec.to_plain(each), type(each))


def _fields(draft: Draft) -> Mapping[str, Any]:
    fields: dict[str, Any] = {"text": draft.text, "metadata": draft.metadata}
    if draft.content is not None:
        plain = codec.to_plain(draft.content)
        fields[_FIELD_OF[type(draft.content)]] = plain["actions"] if isinstance(draft.content, Actions) else plain
    return fields
