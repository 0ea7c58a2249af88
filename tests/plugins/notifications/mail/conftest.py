"""A node with the plugin that sends mail to a real SMTP server, which runs in a process of its own."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import chatnode_notifications
import pytest

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, configured
from tests.outbound.mail_server import MailServer
from tests.plugins.notifications.mail.mailing import SITE, verified, wants


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[MailServer]:
    server = MailServer(tmp_path_factory.mktemp("mail") / "server")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(running: MailServer) -> MailServer:
    """One for all tests. It must be alive at the end of each."""
    running.says()
    running.forget()
    return running


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    return [chatnode_notifications]


@pytest.fixture
def plugins(only_plugins: Sequence[Any]) -> Sequence[Any]:
    """Whose SQL the kit watches."""
    return only_plugins


@pytest.fixture
def config(server: MailServer) -> Config:
    """Mails are due at once."""
    return configured(
        server={"public_url": SITE},
        mail={"host": "127.0.0.1", "port": server.port, "security": "none", "sender": "chat@example.org"},
        plugins={"notifications": {"mail_wait_seconds": 0, "mail_codes_per_minute": 0}},
    )


@pytest.fixture
async def anna(node: Node) -> User:
    return await User.new(node, "ann")


@pytest.fixture
async def ben(node: Node, server: MailServer) -> User:
    """He wants mails at once."""
    user = await User.new(node, "bob")
    await verified(user, server)
    await wants(node, user, "instant")
    return user
