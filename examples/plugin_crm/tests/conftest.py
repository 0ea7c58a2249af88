"""A node with this plugin, an agent, and a user who is not one."""

from __future__ import annotations

from types import ModuleType

import chatnode_crm
import pytest

from chatnode.testing import LiveUser, MakePerson

pytest_plugins = ["chatnode.testing"]


@pytest.fixture
def plugins() -> list[ModuleType]:
    """The plugins of the node."""
    return [chatnode_crm]


@pytest.fixture
async def agent(person: MakePerson) -> LiveUser:
    """A user with the role that the plugin brings."""
    return await person("agent", role="crm-agent")
