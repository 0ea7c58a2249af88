"""A part of a write that may be refused: it alone is undone, with what it recorded."""

from __future__ import annotations

import pytest

from chatnode.errors import Refusal
from chatnode.model.events import SessionRevoked
from chatnode.node import Node
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.log import log
from chatnode.testing import LiveSession, User


def change(tx: Transaction, ann: User, name: str) -> None:
    tx.execute("UPDATE people SET name = ? WHERE key = ?", (name, ann.key))


async def name_of(node: Node, ann: User) -> str:
    return (await ann.call("people.me"))["person"]["name"]


async def test_a_refused_part_is_undone_and_the_rest_stands(node: Node, ann: User) -> None:
    live = await LiveSession.of(node, ann)

    def write(tx: Transaction) -> tuple[Refusal | None, Refusal | None]:
        change(tx, ann, "before")
        before = tx.next_gid

        def refused() -> None:
            change(tx, ann, "never")
            tx.execute("UPDATE people SET avatar = 'never' WHERE key = ?", (ann.key,))
            tx.record(SessionRevoked(99), people=(ann.key,))
            raise Refusal("too_large", "it is full")

        first = tx.attempt(refused)
        assert tx.next_gid == before
        second = tx.attempt(lambda: tx.record(SessionRevoked(7), people=(ann.key,)))
        return first, second

    first, second = await node.core.db.write(write)
    assert (first and first.code, second) == ("too_large", None)
    assert await name_of(node, ann) == "before"
    assert [push["session"] for push in live.pushes] == [7]
    assert live.pushes[0]["gid"] == await node.core.db.read(log.head)


async def test_what_is_no_refusal_undoes_the_whole_write(node: Node, ann: User) -> None:
    def write(tx: Transaction) -> None:
        change(tx, ann, "before")

        def fails() -> None:
            raise RuntimeError("a fault")

        tx.attempt(fails)

    with pytest.raises(RuntimeError):
        await node.core.db.write(write)
    assert await name_of(node, ann) == "ann"
