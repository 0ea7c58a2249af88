"""Fixtures: a data directory with people in it, made once; a node over a copy of it, one for each module."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from chatnode.config import Config
from chatnode.node import open_node

from .bystanders import Bystanders
from .node_process import UNLIMITED, NodeProcess
from .wire import Chat

PEOPLE = ("alice", "bob", "carol", "mallory")


@dataclass(frozen=True)
class Prepared:
    """A data directory that no process has open, and a token for each person in it."""

    data: Path
    tokens: Mapping[str, str]

    def copy_to(self, data: Path) -> Path:
        """A data directory of a node's own."""
        shutil.copytree(self.data, data)
        return data


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Four people, each with a token. Made here, since eight commands in processes of their own take seconds."""
    data = tmp_path_factory.mktemp("prepared") / "data"
    tokens: dict[str, str] = {}

    async def make() -> None:
        async with open_node(data, Config()) as node:
            for handle in PEOPLE:
                await node.call("people.create", handle=handle, password=f"correct horse {handle}")
                tokens[handle] = (await node.call("tokens.create", person=handle))["token"]

    trio.run(make)
    return Prepared(data, tokens)


MakeNode = Callable[..., NodeProcess]


@pytest.fixture(scope="module")
def make_node(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeNode]:
    """Start a node with these settings over fresh data: `make_node(LIMITS__CONNECTIONS=40)`."""
    with ExitStack() as nodes:

        def make(*, wrapper: tuple[str, ...] = (), **settings: object) -> NodeProcess:
            data = prepared.copy_to(tmp_path_factory.mktemp("node") / "data")
            node = NodeProcess(data, UNLIMITED | settings, wrapper)
            return nodes.enter_context(node)

        yield make


@pytest.fixture(scope="module")
def node(make_node: MakeNode) -> NodeProcess:
    """The node that the tests of a module share."""
    return make_node()


@pytest.fixture(scope="session")
def tokens(prepared: Prepared) -> Mapping[str, str]:
    """Handle → token; the same on every node."""
    return prepared.tokens


@pytest.fixture
def mallory(node: NodeProcess, tokens: Mapping[str, str]) -> Iterator[Chat]:
    """Somebody with an account and bad manners."""
    with Chat(node.address, tokens["mallory"], device="mallory") as chat:
        yield chat


@pytest.fixture(scope="module")
def shared_bystanders(node: NodeProcess, tokens: Mapping[str, str]) -> Iterator[Bystanders]:
    """Two people who connected before anything happened and stay connected through all of it."""
    with Bystanders.connect(node, tokens) as bystanders:
        yield bystanders


@pytest.fixture
def unharmed(shared_bystanders: Bystanders) -> Iterator[Bystanders]:
    """After the test the node is the same process, has logged no fault, and serves the bystanders."""
    shared_bystanders.note()
    yield shared_bystanders
    shared_bystanders.assert_unharmed()
