"""Bots that users own, and what bots offer."""

from __future__ import annotations

from typing import Annotated

import attrs

from chatnode.model.bots import BotCommand, OwnedBot
from chatnode.model.fields import Days, Device, Handle, Items, Name, Scope, Who


@attrs.define
class CreateBot:
    handle: Handle
    name: Name | None = None


@attrs.define
class BotReply:
    bot: OwnedBot


@attrs.define
class ListBots:
    """`owner` other than the requester needs the permission to manage people."""

    owner: Who | None = None


@attrs.define
class BotList:
    """In the order of handles."""

    bots: list[OwnedBot]


@attrs.define
class RemoveBot:
    bot: Who


@attrs.define
class CreateBotToken:
    """`scopes` are as for `tokens.create`. `replace`: sign the bot out of its earlier tokens."""

    bot: Who
    label: Device | None = None
    days: Days | None = None
    scopes: Annotated[list[Scope], Items(50)] = attrs.field(factory=lambda: ["chat"])
    replace: bool = False


@attrs.define
class SetBotCommands:
    """All commands that the bot offers from now on."""

    commands: Annotated[list[BotCommand], Items(1_000)]  # the real bound is bots.commands


@attrs.define
class BotCommandList:
    commands: list[BotCommand]
