"""Slash commands of plugins: how one is declared, and what its handler gets and returns."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Literal

from chatnode.hooks.context import Context
from chatnode.model.permissions import CHAT
from chatnode.model.records import record

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@record(frozen=True)
class SlashCall:
    """A user runs a slash command. `conversation` is a public id, `text` is what follows the command's name.

    `id` is the same when a client repeats the call because it lost the reply, which runs the handler again if the node
    stopped before the answer was stored: derive from it what must not happen twice.
    """

    id: str
    conversation: str
    command: str
    text: str


@record(frozen=True)
class SlashReply:
    """The answer to a slash command: only the user sees it, or `all` members.

    An answer to all is posted as a message of the user, who must be allowed to post, and hooks and rates apply. Its
    metadata has `<plugin>.command`, which only the plugin can write, so that clients can show what made it. To speak as
    itself, a plugin posts as its `bot` instead, and returns None.
    """

    text: str
    visible: Literal["all", "only_you"] = "only_you"


@record(frozen=True)
class Slash:
    """A slash command, `/name`, in every conversation.

    `about` says what it does, `usage` what to write after its name, such as `QUESTION; OPTION …`. Users without the
    permission do not see it. `handler` gets the context of the user and the `SlashCall`. It returns the answer, or None
    if there is nothing to say; a `Refusal` is shown to the user.
    """

    name: str
    about: str
    usage: str
    handler: Callable[[Context, SlashCall], Awaitable[SlashReply | None]]
    permission: str = CHAT
