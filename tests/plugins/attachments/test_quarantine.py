"""What a moderator withdraws is withdrawn under every id that it has, and that it gets later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import LiveSession, refused
from tests.plugins.attachments.serving.fetching import Reader
from tests.plugins.attachments.store.storing import PLUGINS
from tests.transport.clients import Address, Http, serving

FILES = "/plugins/attachments/files"


@pytest.fixture
async def node(tmp_path: Path, config: Config) -> AsyncIterator[Node]:
    async with open_node(tmp_path / "data", config, only=PLUGINS) as node:
        yield node


@pytest.fixture
async def address(node: Node) -> AsyncIterator[Address]:
    async with serving(node) as address:
        yield address


async def uploads(who: Reader, data: bytes) -> str:
    async with await Http.open(who.address) as http:
        answer = await http.request("POST", f"{FILES}?name=a.bin", headers=who.bearer, body=data)
    return answer.json["file"]["id"]


async def posts(who: Reader, conversation: str, file: str) -> str:
    post = {"conversation": conversation, "cid": file, "kind": "file", "text": "look", "files": [{"file": file}]}
    return (await who.call("messages.post", **post))["message"]


async def test_copies_and_later_uploads_are_withdrawn_too(node: Node, address: Address) -> None:
    ann, bob, eve = [await Reader.at(address, node, handle) for handle in ("ann", "bob", "eve")]
    mod = await Reader.at(address, node, "mod", role="moderator")
    talk, other = await ann.direct(bob), await bob.direct(eve)
    file = await uploads(ann, b"nobody should see this")
    await posts(ann, talk, file)
    copied = (await bob.call("attachments.copy", file=file))["file"]["file"]
    message = await posts(bob, other, copied)
    await ann.call("messages.post", conversation=talk, cid="2", text="unrelated")
    hears = await LiveSession.of(node, eve)

    await mod.call("attachments.quarantine", file=file)
    assert [(push["message"], push["files"][0]["quarantined"]) for push in hears.heard("attachments.changed")] == [
        (message, True)
    ]
    assert (await eve.gets(f"{FILES}/{copied}")).status == 410
    again = await uploads(bob, b"nobody should see this")
    assert (await bob.gets(f"{FILES}/{again}")).status == 410
    with refused("gone", "files.0"):
        await posts(bob, other, again)

    await mod.call("attachments.release", file=file)
    assert [(await bob.gets(f"{FILES}/{each}")).status for each in (file, copied, again)] == [200, 200, 200]


async def test_what_was_withdrawn_stays_so_when_all_its_files_are_gone(node: Node, address: Address) -> None:
    ann, bob = [await Reader.at(address, node, handle) for handle in ("ann", "bob")]
    mod = await Reader.at(address, node, "mod", role="moderator")
    file = await uploads(ann, b"again and again")
    message = await posts(ann, await ann.direct(bob), file)
    await mod.call("attachments.quarantine", file=file)
    await ann.call("messages.delete", message=message)
    await node.call("attachments.collect")
    again = await uploads(ann, b"again and again")
    assert (await ann.gets(f"{FILES}/{again}")).status == 410
    await mod.call("attachments.release", file=again)
    assert (await ann.gets(f"{FILES}/{again}")).body == b"again and again"
