"""Who gets what: every state of a file, every person, every variant and every way in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import pytest
from chatnode_attachments.state import Attachments

from chatnode.node import Node
from tests.transport.clients import Address

from .fetching import Reader, fetch
from .storing import Stored, Storing

VARIANTS = ("file", "thumb320")
METHODS = ("GET", "HEAD")


@attrs.define
class Stage:
    """Ann uploaded a picture. Bob is in her group, Eve is not; `link` are links that each made to each variant while
    they could, and `group` is the conversation."""

    storing: Storing
    address: Address
    ann: Reader
    bob: Reader
    eve: Reader
    group: str
    picture: Stored
    message: str | None = None
    links: dict[tuple[str, str], str] = attrs.field(factory=dict[tuple[str, str], str])

    @property
    def node(self) -> Node:
        return self.storing.node

    @property
    def people(self) -> tuple[Reader, ...]:
        return self.ann, self.bob, self.eve

    async def post(self) -> None:
        self.message = await self.storing.post(self.picture, self.ann, self.group)

    async def make_links(self) -> None:
        for who in self.people:
            for variant in VARIANTS:
                made = await who.asks("attachments.link", file=self.picture.id, variant=variant)
                if isinstance(made, dict):
                    self.links[who.handle, variant] = made["link"]

    async def statuses(self, who: Reader) -> set[int]:
        """What `who` is answered, by every variant, method and way in."""
        found = set[int]()
        for variant in VARIANTS:
            target = self.picture.target + ("" if variant == "file" else f"/{variant}")
            for method in METHODS:
                for more in ({}, {"Range": "bytes=0-3"}, {"If-None-Match": "*"}):
                    found.add(normal((await who.gets(target, method=method, **more)).status))
                if link := self.links.get((who.handle, variant)):
                    found.add(normal((await fetch(self.address, link, method)).status))
            made = await who.asks("attachments.link", file=self.picture.id, variant=variant)
            found.add({"not_found": 404, "gone": 410, "unavailable": 503}[made] if isinstance(made, str) else 200)
        return found


def normal(status: int) -> int:
    """206 and 304 give as much away as 200."""
    return 200 if status in (206, 304) else status


@pytest.fixture
async def stage(storing: Storing, address: Address) -> Stage:
    ann, bob, eve = [await Reader.at(address, storing.node, handle) for handle in ("ann", "bob", "eve")]
    group = await ann.group(bob)
    return Stage(storing, address, ann, bob, eve, group, await storing.picture(ann))


# ---- what happened, and what then Ann, Bob and Eve get


async def nothing(stage: Stage) -> None:
    """Not posted."""


async def posted(stage: Stage) -> None:
    await stage.post()


async def bob_leaves(stage: Stage) -> None:
    await stage.post()
    await stage.make_links()
    await stage.bob.call("conversations.leave", conversation=stage.group)


async def ann_leaves(stage: Stage) -> None:
    await stage.post()
    await stage.make_links()
    await stage.ann.call("conversations.leave", conversation=stage.group)


async def bob_is_removed(stage: Stage) -> None:
    await stage.post()
    await stage.make_links()
    await stage.ann.call("conversations.members.remove", conversation=stage.group, member="bob")


async def eve_joins_later(stage: Stage) -> None:
    await stage.post()
    await stage.ann.call("conversations.members.add", conversation=stage.group, member="eve")


async def eve_joins_before(stage: Stage) -> None:
    await stage.ann.call("conversations.members.add", conversation=stage.group, member="eve")
    await stage.post()


async def bob_blocks_ann(stage: Stage) -> None:
    await stage.post()
    await stage.bob.call("people.block", person="ann")


async def message_deleted(stage: Stage) -> None:
    await stage.post()
    await stage.make_links()
    await stage.ann.call("messages.delete", message=stage.message)


async def message_deleted_by_hand(stage: Stage) -> None:
    """Should the file's row ever stay behind when its message is deleted."""
    await stage.post()
    await stage.make_links()
    await stage.node.core.db.write(
        lambda tx: tx.execute("UPDATE messages SET deleted_at = 1 WHERE id = ?", (stage.message,))
    )


def with_content(column: str, value: object) -> Callable[[Stage], Awaitable[None]]:
    async def change(stage: Stage) -> None:
        await stage.post()
        await stage.make_links()
        await stage.storing.set_content(stage.picture, column, value)

    change.__name__ = f"{column} {value}"
    return change


def with_file(column: str, value: object) -> Callable[[Stage], Awaitable[None]]:
    async def change(stage: Stage) -> None:
        await stage.post()
        await stage.make_links()
        await stage.storing.set_file(stage.picture, column, value)

    change.__name__ = f"{column} {value}"
    return change


async def unposted_and_quarantined(stage: Stage) -> None:
    await stage.make_links()
    await stage.storing.set_content(stage.picture, "quarantined", 1)


async def unposted_and_used(stage: Stage) -> None:
    await stage.make_links()
    await stage.storing.set_file(stage.picture, "used_by", "avatars")


@pytest.mark.parametrize(
    ("happened", "ann", "bob", "eve"),
    [
        (nothing, 200, 404, 404),
        (posted, 200, 200, 404),
        (bob_leaves, 200, 404, 404),
        (ann_leaves, 404, 200, 404),
        (bob_is_removed, 200, 404, 404),
        (eve_joins_later, 200, 200, 404),
        (eve_joins_before, 200, 200, 200),
        (bob_blocks_ann, 200, 200, 404),
        (message_deleted, 404, 404, 404),
        (message_deleted_by_hand, 404, 404, 404),
        (with_content("quarantined", 1), 410, 410, 404),
        (with_file("removed_at", 1), 410, 410, 404),
        (with_content("scan", "unsafe"), 410, 410, 404),
        (with_content("scan", "pending"), 503, 503, 404),
        (with_content("scan", "error"), 503, 503, 404),
        (with_content("place", "missing"), 410, 410, 404),
        (with_content("place", "removed"), 410, 410, 404),
        (with_content("scan", "safe"), 200, 200, 404),
        (unposted_and_quarantined, 410, 404, 404),
        (unposted_and_used, 404, 404, 404),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value),
)
async def test_everyone_gets_the_same_by_every_way(
    stage: Stage, happened: Callable[[Stage], Awaitable[None]], ann: int, bob: int, eve: int
) -> None:
    await happened(stage)
    assert [await stage.statuses(who) for who in stage.people] == [{ann}, {bob}, {eve}]


async def test_content_that_was_not_scanned_is_served_only_while_nothing_is_scanned(stage: Stage) -> None:
    await stage.post()

    class Scanner:
        state = "down"

    state = stage.node.core.state(Attachments)
    off, state.scanner = state.scanner, Scanner()
    assert await stage.statuses(stage.bob) == {503}
    state.scanner = off
    assert await stage.statuses(stage.bob) == {200}
