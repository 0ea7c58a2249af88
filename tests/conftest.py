"""What all tests share: a node in this trio run, and people who use it."""

from __future__ import annotations

import pytest

from chatnode.node import Node
from chatnode.testing import User

pytest_plugins = ["chatnode.testing", "tests.limits", "tests.quick"]


async def make_person(node: Node, handle: str, *, admin: bool = False) -> User:
    """An account without a password."""
    return await User.new(node, handle, admin=admin)


@pytest.fixture
async def ann(node: Node) -> User:
    return await make_person(node, "ann")


@pytest.fixture
async def bob(node: Node) -> User:
    return await make_person(node, "bob")


@pytest.fixture
async def eve(node: Node) -> User:
    """A connected user in none of the others' conversations."""
    return await make_person(node, "eve")
