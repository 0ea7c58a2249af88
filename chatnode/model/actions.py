"""Buttons of a bot's message."""

from __future__ import annotations

from typing import Annotated, Literal

from chatnode.model.fields import Text
from chatnode.model.records import record

ActionStyle = Literal["default", "primary", "danger"]

MOST_ACTIONS = 10
"""Maximum number of buttons of a message."""
MOST_ACTIONS_BYTES = 8_192
"""Maximum size of a message's buttons, as JSON."""

ActionId = Annotated[str, Text(64, 1, r"[A-Za-z0-9._:-]+", hint="expected 1 to 64 characters of A-Z a-z 0-9 . _ : -")]


@record
class Action:
    """A button. `id` is what the bot is sent when a user presses it, and unique in the message. A client that shows
    `confirm`, a question, invokes the action once the user has agreed."""

    id: ActionId
    label: Annotated[str, Text(80, 1)]
    style: ActionStyle | None = None
    confirm: Annotated[str, Text(300, 1)] | None = None


@record(frozen=True)
class Actions:
    """The buttons of a message as its content, which is erased with it."""

    actions: list[Action]
