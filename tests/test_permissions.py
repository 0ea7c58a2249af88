"""Who may use which command at all: every command, for nobody, a member, a moderator and an administrator.

What is expected follows from the command table and the roles of a new node; the exceptions are named one by one.
Whether they may in a certain conversation is test_matrix.py's.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from chatnode.config import Config, Limits
from chatnode.dispatch.table import Command
from chatnode.model.permissions import MODERATOR, PERMISSIONS
from chatnode.node import Node
from chatnode.testing import User
from tests.commands import COMMANDS, PLUGINS, ROLES_WITH_PLUGINS
from tests.services.dialogue import Visitor, outcome
from tests.test_matrix import FIELDS, Target

#: Everybody's for their own account; for another's they take `people.manage`.
ONES_OWN = {"people.export", "people.erase", "people.deactivate"}

#: The permission is not enough: what plugins keep may be nobody else's business.
ONLY_THE_OPERATOR = {"plugins.export", "attachments.stored"}

#: They are for bots, and none of these is one.
ONLY_BOTS = {"bots.commands.set"}

#: A bot's for its own endpoints; for others' they take `webhooks.manage`.
BOTS_OWN = {"webhooks.endpoints.add", "webhooks.endpoints.list"}


@pytest.fixture
def config() -> Config:
    return Config(limits=Limits(requests_per_minute=0, posts_per_minute=0, changes_per_minute=0, logins_per_minute=0))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
async def test_a_command_is_for_whom_its_permission_is_for(node: Node, command: Command[Any, Any]) -> None:
    member, moderator = await User.new(node, "member"), await User.new(node, "moderator")
    admin = await User.new(node, "admin", admin=True)
    await node.call("people.role", person="moderator", role="moderator")
    moderator = User(node, attrs.evolve(moderator.account, role=MODERATOR))
    for handle in ("spare", "outside"):
        await User.new(node, handle)

    nothing = Target("0" * 32, "0" * 32)
    answer = await outcome(Visitor(node).call(command.name, **FIELDS[command.name](nothing)))
    assert (answer == "unauthenticated") == (command.permission is not None)

    for who in (member, moderator, admin):
        room = await who.group(title="theirs")
        fields = FIELDS[command.name](Target(room, await who.says(room, "theirs")))
        may = command.permission is None or command.permission in ROLES_WITH_PLUGINS[who.account.role]
        if command.name in ONES_OWN | BOTS_OWN:
            may = who is admin
        if command.name in ONLY_THE_OPERATOR | ONLY_BOTS:
            may = False
        answer = await outcome(who.call(command.name, **fields))
        assert (answer == "forbidden") == (not may), who.handle
        assert answer != "unauthenticated", who.handle


def test_every_permission_is_asked_for() -> None:
    """Two are asked for within commands: support conversations are seen by it, and system messages posted."""
    used = {name for command in COMMANDS for name in (command.permission, command.or_permission)} - {None}
    assert set(PERMISSIONS) - used == {"support", "notices.post"}
    assert {each.name for plugin in PLUGINS for each in plugin.permissions} <= used
