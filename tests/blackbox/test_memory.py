"""Resident memory is flat over times of load and rest."""

import time
from collections.abc import Mapping

import pytest

from .conftest import MakeNode
from .node_process import NodeProcess
from .wire import Chat

MEBIBYTE = 2**20
ROUNDS = 3


@pytest.fixture(scope="module")
def tokens(prepared: object) -> Mapping[str, str]:
    return prepared.tokens  # type: ignore[attr-defined]


def load(node: NodeProcess, tokens: Mapping[str, str]) -> None:
    """People who connect, post long texts, and read large pages of them."""
    with Chat(node.address, tokens["alice"], device="alice") as alice:
        group = alice.group("a long story", "bob", "carol", "mallory")
        for number in range(60):
            alice.post(group, f"{number} " + "once upon a time " * 200)
        for name in ("bob", "carol", "mallory"):
            with Chat(node.address, tokens[name], device=name) as reader:
                for _ in range(10):
                    page = reader.call("messages.list", conversation=group, limit=60)
                    assert len(page["messages"]) == 60
                reader.call("search.messages", query="upon time")


def rest(node: NodeProcess) -> int:
    """Resident memory once it was given back, in bytes."""
    for _ in range(2):  # the first look may still see the load
        done = node.run("call", "jobs.run", "job=memory")
        assert done.returncode == 0, done.stderr
    time.sleep(0.5)
    return node.memory()


@pytest.mark.slow
def test_memory_is_flat_over_times_of_load_and_rest(make_node: MakeNode, tokens: Mapping[str, str]) -> None:
    node = make_node()
    resident: list[int] = []
    loaded: list[int] = []
    for _ in range(ROUNDS):
        load(node, tokens)
        loaded.append(node.memory())
        resident.append(rest(node))
    told = [f"{busy >> 20} → {calm >> 20} MiB" for busy, calm in zip(loaded, resident, strict=True)]
    assert resident[-1] < resident[0] + 6 * MEBIBYTE, told
    assert resident[-1] < loaded[-1], told
    print(told)
