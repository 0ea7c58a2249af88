"""Memory that a busy hour needed is given back when the node rests."""

from __future__ import annotations

import pytest

from chatnode.node import Node
from chatnode.services import memory
from chatnode.services.memory import IDLE_REQUESTS
from chatnode.storage.engine.connection import Reader


async def test_it_is_given_back_once_for_each_time_of_rest(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    requests = node.core.metrics.requests

    async def give_back(core: object) -> None:
        given.append(sum(requests.values()))

    monkeypatch.setattr(memory, "give_back", give_back)
    for count, expected in (
        (0, [0]),
        (0, [0]),
        (IDLE_REQUESTS + 1, [0]),  # busy since the last look
        (IDLE_REQUESTS, [0, 2 * IDLE_REQUESTS + 1]),
        (0, [0, 2 * IDLE_REQUESTS + 1]),
    ):
        requests["messages.post", "ok"] += count
        await memory.rest(node.core)
        assert given == expected


async def test_every_connection_gives_its_cache_back(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    shrunk: list[Reader] = []
    monkeypatch.setattr(memory, "shrink", shrunk.append)
    await memory.give_back(node.core)
    database = node.core.db
    connections = [await database.maintain(lambda writer: writer)]
    await database.for_each_reader(connections.append)
    assert len(shrunk) == len(connections) == 1 + database.settings.readers
    assert set(shrunk) == set(connections)
