"""Bots that users own, and what bots offer."""

from __future__ import annotations

from typing import Annotated

import attrs

from chatnode.model.bots import BotCommand, OwnedBot
from chatnode.model.fields import Days, Device, Handle, Items, Name, Scope, Who
from chatnode.model.records import record


@record
class CreateBot:
    handle: Handle
    name: Name | None = None


@record
class BotReply:
    bot: OwnedBot


@record
class ListBots:
    """`owner` other than the requester needs the permission to manage people."""

    owner: Who | None = None


@record
class BotList:
    """In the order of handles."""

    bots: list[OwnedBot]


@record
class RemoveBot:
    bot: Who


@record
class CreateBotToken:
    """`scopes` are as for `tokens.create`. `replace`: sign the bot out of its earlier tokens."""

    bot: Who
    label: Device | None = None
    days: Days | None = None
    scopes: Annotated[list[Scope], Items(50)] = attrs.field(factory=lambda: ["chat"])
    replace: bool = False


@record
class SetBotCommands:
    """All commands that the bot offers from now on."""

    commands: Annotated[list[BotCommand], Items(1_000)]  # the real bound is bots.commands


@record
class BotCommandList:
    commands: list[BotCommand]
