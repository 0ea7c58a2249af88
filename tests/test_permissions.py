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
from chatnode.model.permissions import ADMIN, MODERATOR, PERMISSIONS
from chatnode.node import Node
from chatnode.testing import User
from tests.commands import COMMANDS, PLUGINS, ROLES_WITH_PLUGINS, SUBJECTS
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


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_a_command_is_for_whom_its_permission_is_for(node: Node, subject: str) -> None:
    """Each command is tried by people who have done nothing yet."""
    expected: dict[str, Allowed] = {}
    found: dict[str, Allowed] = {}
    for number, command in enumerate(SUBJECTS[subject]):
        expected[command.name] = whose(command)
        found[command.name] = await Trial(node, command, number).allowed()
    assert found == expected


@attrs.frozen
class Allowed:
    """Who is let through to a command, whatever becomes of it then."""

    nobody: bool
    member: bool
    moderator: bool
    admin: bool


def whose(command: Command[Any, Any]) -> Allowed:
    def may(role: str) -> bool:
        if command.name in ONLY_THE_OPERATOR | ONLY_BOTS:
            return False
        if command.name in ONES_OWN | BOTS_OWN:
            return role == ADMIN
        return command.permission is None or command.permission in ROLES_WITH_PLUGINS[role]

    return Allowed(command.permission is None, may("member"), may(MODERATOR), may(ADMIN))


@attrs.frozen
class Trial:
    """One command, tried by new people for each role, whose handles end in `number`."""

    node: Node
    command: Command[Any, Any]
    number: int

    async def allowed(self) -> Allowed:
        for handle in ("spare", "outside"):
            await User.new(self.node, f"{handle}{self.number}")
        nobody = await outcome(Visitor(self.node).call(self.command.name, **self.fields("0" * 32, "0" * 32)))
        roles = [await self.lets(role) for role in ("member", MODERATOR, ADMIN)]
        return Allowed(nobody != "unauthenticated", *roles)

    async def lets(self, role: str) -> bool:
        who = await User.new(self.node, f"{role}{self.number}", role=role)
        room = await who.group(title="theirs")
        message = await who.says(room, "theirs")
        answer = await outcome(who.call(self.command.name, **self.fields(room, message)))
        assert answer != "unauthenticated", (self.command.name, role)
        return answer != "forbidden"

    def fields(self, conversation: str, message: str) -> dict[str, Any]:
        target = Target(conversation, message, spare=f"spare{self.number}", outside=f"outside{self.number}")
        return FIELDS[self.command.name](target)


def test_every_permission_is_asked_for() -> None:
    """Two are asked for within commands: support conversations are seen by it, and system messages posted."""
    used = {name for command in COMMANDS for name in (command.permission, command.or_permission)} - {None}
    assert set(PERMISSIONS) - used == {"support", "notices.post"}
    assert {each.name for plugin in PLUGINS for each in plugin.permissions} <= used
