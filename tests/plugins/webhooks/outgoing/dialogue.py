"""Bots with endpoints, and time that passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import trio
from chatnode_webhooks.outgoing.board import send_events

from chatnode.api import Transaction
from chatnode.node import Node
from chatnode.testing import User
from chatnode.testing.people import PATIENCE
from tests.plugins.sql import rows
from tests.plugins.webhooks.outgoing.receiver import Receiver
from tests.services.dialogue import new_cid

INVOCATIONS = ("slash.invoked", "action.invoked")
_TIMES = {
    "webhooks_endpoints": ("probe_at", "failing_since", "noticed_at", "old_until"),
    "webhooks_deliveries": ("due_at", "tried_at"),
}


async def bot(node: Node, handle: str) -> User:
    await node.call("people.create", handle=handle, bot=True)
    return await User.of(node, handle)


async def endpoint(who: User | Node, receiver: Receiver, kinds: Sequence[str] = ("message.*",), **fields: Any) -> Any:
    """Add an endpoint; returns the reply, `secret` included. A bot adds its own."""
    if isinstance(who, User) and who.account.bot:
        fields = {"bot": who.handle, **fields}
    return await who.call("webhooks.endpoints.add", url=receiver.url, kinds=list(kinds), **fields)


def id_of(added: Any) -> str:
    return added["endpoint"]["endpoint"]


async def state(node: Node, id: str) -> dict[str, Any]:
    return (await node.call("webhooks.endpoints.get", endpoint=id))["endpoint"]


async def failed(node: Node, id: str, state: str | None = None) -> list[dict[str, Any]]:
    fields = {"state": state} if state is not None else {}
    return (await node.call("webhooks.deliveries", endpoint=id, **fields))["deliveries"]


async def until(node: Node, id: str, true: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Wait until this is true of an endpoint."""
    found: dict[str, Any] = {}
    with trio.move_on_after(PATIENCE):
        while True:
            found = await state(node, id)
            if true(found):
                return found
            await trio.sleep(0.01)
    raise AssertionError(found)


async def until_rows(node: Node, sql: str, true: Callable[[list[tuple[Any, ...]]], object]) -> None:
    """Wait until this is true of rows."""
    found: list[tuple[Any, ...]] = []
    with trio.move_on_after(PATIENCE):
        while True:
            found = await rows(node, sql)
            if true(found):
                return
            await trio.sleep(0.01)
    raise AssertionError(found)


async def pass_time(node: Node, id: str, ms: int) -> None:
    """What is stored happened that much earlier, and the task looks at it again."""

    def write(tx: Transaction) -> None:
        for table, columns in _TIMES.items():
            terms = ", ".join(f"{column} = {column} - :ms" for column in columns)
            tx.execute(f"UPDATE {table} SET {terms}", {"ms": ms})

    await node.core.db.write(write)
    await node.call("webhooks.endpoints.update", endpoint=id, about=new_cid())


async def sending(node: Node, nursery: trio.Nursery) -> trio.CancelScope:
    """Run the task; the scope ends it."""
    scope = trio.CancelScope()
    context = node.plugins.loaded["webhooks"].context

    async def run(task_status: trio.TaskStatus[None]) -> None:
        with scope:
            task_status.started()
            await send_events(context)

    await nursery.start(run)
    return scope
