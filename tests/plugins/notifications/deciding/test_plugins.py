"""Other plugins may hold notifications back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chatnode_notifications
import pytest

from chatnode.api import HOUR_MS, Context, Plugin, hookimpl, now_ms
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.notifications.telling import tell, told, why


class Censor:
    """A plugin that judges by sender: it holds back what Hal says, silences Sue, and fails for Fay."""

    asked: list[tuple[int, bool]]

    def __init__(self) -> None:
        self.asked = []
        self.senders: dict[str, int] = {}

    @hookimpl
    def chatnode_plugin(self) -> Plugin:
        return Plugin(name="censor", version="1.0", api="2.0", about="Judges.", requires=("notifications",))

    @hookimpl
    async def should_notify(self, ctx: Context, note: Any) -> Any:
        self.asked.append((note.seq, note.personal))
        (sender,) = await ctx.read(
            lambda reader: reader.execute(
                "SELECT p.handle FROM messages m JOIN people p ON p.key = m.sender "
                "WHERE m.conversation = ? AND m.seq = ?",
                (note.conversation, note.seq),
            ).fetchone()
        )
        match sender:
            case "hal":
                return note.hold(now_ms() + HOUR_MS)
            case "sue":
                return note.quiet("a machine")
            case "fay":
                raise RuntimeError("no idea")
            case "odd":
                return "an answer that is none"
            case _:
                return note.notify()


@pytest.fixture
def censor() -> Censor:
    return Censor()


@pytest.fixture
def only_plugins(censor: Censor) -> Sequence[Any]:
    return [chatnode_notifications, censor]


async def test_what_a_plugin_answers(node: Node, ben: User, censor: Censor) -> None:
    group = await ben.group(*[await User.new(node, handle) for handle in ("hal", "sue", "fay", "odd", "ida")])
    said = {
        handle: await (await User.of(node, handle)).says(group, f"@ben I am {handle}")
        for handle in ("sue", "fay", "odd", "ida", "hal")
    }
    await tell(node)
    assert await told(ben) == [("mention", "@ben I am hal", 4)]
    assert censor.asked == [(seq, True) for seq in (1, 2, 3, 4, 5)]
    assert await why(ben, said["sue"]) == ("inbox", 9)
    found = await ben.call("notifications.explain", message=said["sue"])
    (row,) = [each for each in found["rows"] if each["row"] == 9]
    assert row["matched"]
    assert row["condition"].endswith(": a machine")


async def test_a_hold_is_the_time_at_which_it_rings(node: Node, ben: User) -> None:
    hal = await User.new(node, "hal")
    await hal.says(await hal.direct(ben), "later")
    due_at = await tell(node, ahead_seconds=3_590)
    assert await told(ben) == []
    assert due_at is not None
    assert abs(due_at - now_ms() - HOUR_MS) < 10_000
    await tell(node, ahead_seconds=3_610)
    assert await told(ben) == [("message", "later", 1)]


async def test_plugins_are_not_asked_about_what_does_not_ring_anyway(node: Node, ben: User, censor: Censor) -> None:
    ida = await User.new(node, "ida")
    group = await ben.group(ida)
    await ida.says(group, "for nobody")
    await ben.does("conversations.settings", conversation=group, notify="none")
    await ida.says(group, "@ben hello")
    await tell(node)
    assert censor.asked == []
