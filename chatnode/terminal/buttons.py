"""Buttons of messages: as text with a number each, and pressing one by its number."""

from __future__ import annotations

from collections.abc import Callable

from chatnode.client import Client
from chatnode.errors import Refusal
from chatnode.model.actions import Action
from chatnode.model.messages import Message
from chatnode.terminal.naming import read_number
from chatnode.terminal.printable import one_line

_LABEL_CHARS = 80


class ShownButtons:
    """Numbers for the buttons on the screen, by which they are pressed. A button that is shown again keeps its own."""

    def __init__(self) -> None:
        self._buttons: list[tuple[str, Action]] = []
        self._numbers: dict[tuple[str, str], int] = {}

    def number(self, message: str, action: Action) -> int:
        """The number of a message's button: the next one if it has none."""
        place = (message, action.id)
        if place not in self._numbers:
            self._buttons.append((message, action))
            self._numbers[place] = len(self._buttons)
        self._buttons[self._numbers[place] - 1] = (message, action)
        return self._numbers[place]

    def get(self, number: int) -> tuple[str, Action] | None:
        """The message and the button with a number."""
        return self._buttons[number - 1] if 0 < number <= len(self._buttons) else None


def button_line(message: Message, shown: ShownButtons | None) -> str:
    """The buttons in one line, such as `[1 Approve] [2 Reject]`, without numbers unless some are given; empty for a
    message that has none."""
    if message.deleted_at is not None:
        return ""
    labels = [(one_line(each.label, _LABEL_CHARS), each) for each in message.actions or ()]
    if shown is None:
        return " ".join(f"[{label}]" for label, _ in labels)
    return " ".join(f"[{shown.number(message.message, each)} {label}]" for label, each in labels)


class ButtonCommands:
    """What `/press` does. `note` shows a line."""

    def __init__(self, client: Client, buttons: ShownButtons, note: Callable[[str], None]) -> None:
        self._client = client
        self._buttons = buttons
        self._note = note

    async def press(self, rest: str) -> None:
        """Press the button with a number; one that asks first needs a yes. Raises `Refusal`."""
        first, _, answer = rest.partition(" ")
        number = read_number(first)
        if number is None:
            raise Refusal("invalid", "/press N, the number before the button's label")
        found = self._buttons.get(number)
        if found is None:
            raise Refusal("not_found", f"no button {number} is on the screen")
        message, action = found
        if action.confirm is not None and answer.strip().lower() not in ("y", "yes"):
            self._note(f"{action.confirm} — /press {number} yes")
            return
        pressed = await self._client.press(message, action.id)
        self._note(f"sent to {pressed.bot.handle}")
