"""Bots that users own, the commands that bots offer, and answers that one user sees."""

from __future__ import annotations

from typing import Annotated, Literal

from chatnode.model.fields import Text
from chatnode.model.people import Person, PersonRef
from chatnode.model.records import record

SlashName = Annotated[
    str, Text(32, 1, r"[a-z][a-z0-9_-]*", hint="must begin with a letter a-z and have only a-z, digits, _ and -")
]
About = Annotated[str, Text(200, 1)]
Usage = Annotated[str, Text(200)]

NoticeStatus = Literal["working", "unanswered"]


@record
class BotCommand:
    """A slash command of a bot. `about` says what it does, `usage` what to write after its name, such as `[DAYS]`."""

    name: SlashName
    about: About
    usage: Usage = ""


@record
class OfferedCommand:
    """A slash command of a conversation. `command` is what a user types: `/name`, or where several have the same name,
    `/name@bot` or `/plugin:name`. It belongs to a `bot` or to a `plugin`."""

    command: str
    about: str
    usage: str = ""
    bot: PersonRef | None = None
    plugin: str | None = None


@record
class OwnedBot:
    """A bot and its owner. `commands` are what it offers."""

    bot: Person
    owner: PersonRef
    created_at: str
    commands: list[BotCommand]


@record
class PrivateNotice:
    """A text in a conversation that only one user sees, for a day: the answer of a bot or plugin to what they invoked.

    With a `status` the node itself says that the bot has not answered yet (`working`), or in time (`unanswered`).
    """

    notice: str
    conversation: str
    text: str
    at: str
    bot: PersonRef | None = None
    plugin: str | None = None
    invocation: str | None = None
    status: NoticeStatus | None = None
