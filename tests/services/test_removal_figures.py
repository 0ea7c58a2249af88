"""What plugins delete along with rows is in the receipts of retention and of erasure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode.api import Context, RemovalNote
from chatnode.config import Config, Retention
from chatnode.node import Node, open_node
from chatnode.testing import User
from tests.plugins import keeper
from tests.plugins.surface.making import made


def keeping(data: Path, **changed: Any) -> Any:
    plugin = made("keeper", **{**keeper.DECLARED, **changed})
    return open_node(data, Config(retention=Retention(message_days=30)), only=[plugin])


async def with_file(node: Node) -> tuple[User, Path]:
    """A user whose message, as old as 60 days, has a file of 5 bytes."""
    ann = await User.new(node, "ann")
    talk = await ann.direct(await User.new(node, "bob"))
    message = await ann.says(talk, "see this")
    kept = await ann.call("keeper.keep", content="12345", message=message)
    await ann.says(talk, "and this")
    await node.core.db.write(
        lambda tx: tx.execute("UPDATE messages SET at = at - 60 * 86400000 WHERE seq = 1").rowcount
    )
    return ann, node.core.directory.of_plugin("keeper") / kept["name"]


async def test_retention(tmp_path: Path) -> None:
    async with keeping(tmp_path) as node:
        _, path = await with_file(node)
        assert path.exists()
        await node.call("jobs.run", job="retention")
        assert not path.exists()
        (receipt,) = (await node.call("retention.list"))["removals"]
        counts = receipt["counts"]
    assert (counts["messages"], counts["keeper_files"]) == (1, 1)
    assert (counts["keeper.files"], counts["keeper.bytes"]) == (1, 5)


async def test_erasure(tmp_path: Path) -> None:
    notes: list[RemovalNote] = []

    async def after_removal(ctx: Context, note: RemovalNote) -> Mapping[str, int]:
        notes.append(note)
        return await keeper.after_removal(ctx, note)

    async with keeping(tmp_path, after_removal=after_removal) as node:
        ann, path = await with_file(node)
        removed = (await node.call("people.erase", person="ann", handle="ann"))["removed"]
        assert not path.exists()
        audited = (await node.call("audit.list"))["entries"]
    assert (removed["keeper_files"], removed["keeper.files"], removed["keeper.bytes"]) == (1, 1, 5)
    assert [note.rule for note in notes] == ["erased"]
    assert notes[0].person is not None
    (entry,) = [each for each in audited if each["action"] == "people.erased"]
    assert entry["details"]["keeper.bytes"] == "5"
    assert ann.id


@pytest.mark.parametrize("returned", [None, {"files": "many"}, RuntimeError("bug")])
async def test_a_plugin_that_fails_is_reported_and_the_receipt_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, returned: Any
) -> None:
    async def after_removal(ctx: Context, note: RemovalNote) -> Any:
        if isinstance(returned, Exception):
            raise returned
        return returned

    async with keeping(tmp_path, after_removal=after_removal) as node:
        await with_file(node)
        assert (await node.call("jobs.run", job="retention"))["job"]["ok"]
        (receipt,) = (await node.call("retention.list"))["removals"]
        assert not [name for name in receipt["counts"] if "." in name]
    assert "the plugin keeper: after_removal" in caplog.text


def test_a_note_says_what_was_removed() -> None:
    assert attrs.asdict(RemovalNote("closed", conversation="c")) == {
        "rule": "closed", "conversation": "c", "person": None,
    }  # fmt: skip
