"""Pictures of people and groups: made from an upload, seen by all who are signed in, gone with whom they show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import LiveSession, User, refused
from tests.plugins.attachments import pictures
from tests.plugins.attachments.serving.fetching import Reader, fetch
from tests.plugins.attachments.store.storing import PLUGINS
from tests.transport.clients import Address, Http, serving


@pytest.fixture
async def node(tmp_path: Path, config: Config) -> AsyncIterator[Node]:
    async with open_node(tmp_path / "data", config, only=PLUGINS) as node:
        yield node


@pytest.fixture
async def address(node: Node) -> AsyncIterator[Address]:
    async with serving(node) as address:
        yield address


@pytest.fixture
async def ann(address: Address, node: Node) -> Reader:
    return await Reader.at(address, node, "ann")


@pytest.fixture
async def bob(address: Address, node: Node) -> Reader:
    return await Reader.at(address, node, "bob")


async def uploads(who: Reader, data: bytes) -> str:
    async with await Http.open(who.address) as http:
        answer = await http.request("POST", "/plugins/attachments/files?name=a.png", headers=who.bearer, body=data)
    assert answer.status == 201, answer
    return answer.json["file"]["id"]


async def sets(who: Reader, data: bytes, **more: Any) -> str:
    reply = await who.call("attachments.avatar.set", file=await uploads(who, data), **more)
    return reply["avatar"]


async def avatar_files(node: Node) -> int:
    def count(reader: Any) -> int:
        return reader.execute("SELECT count(*) FROM attachments_files WHERE used_by IS NOT NULL").fetchone()[0]

    return await node.core.db.read(count)


WIDE = pictures.encoded(pictures.drawing(600, 300), "PNG")


async def test_a_picture_becomes_an_avatar_that_everybody_gets(
    node: Node, ann: Reader, bob: Reader, address: Address
) -> None:
    await ann.direct(bob)
    hears = await LiveSession.of(node, bob)
    avatar = await sets(ann, pictures.with_metadata("JPEG"))

    assert [push["person"]["avatar"] for push in hears.heard("person.updated")] == [avatar]
    answer = await bob.gets(avatar)
    image = Image.open(BytesIO(answer.body))
    assert (answer.status, image.format, image.size) == (200, "WEBP", (48, 48))
    assert pictures.CANARY.encode() not in answer.body
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "private, max-age=86400"
    assert (await bob.gets(avatar, if_none_match=answer.headers["etag"])).status == 304
    assert (await fetch(address, avatar)).status == 401


async def test_it_is_the_middle_and_256_pixels_at_most(ann: Reader) -> None:
    answer = await ann.gets(await sets(ann, WIDE))

    image = Image.open(BytesIO(answer.body)).convert("RGB")
    red, blue = image.getpixel((20, 128)), image.getpixel((236, 64))
    assert isinstance(red, tuple)
    assert isinstance(blue, tuple)
    assert (image.size, red[0] > 150 > red[2], blue[2] > 150 > blue[0]) == ((256, 256), True, True)


async def test_each_change_has_a_new_address_and_the_old_picture_goes(node: Node, ann: Reader) -> None:
    first = await sets(ann, WIDE)
    second = await sets(ann, WIDE)

    assert first != second
    assert (await ann.call("people.me"))["person"]["avatar"] == second
    assert (await ann.gets(first)).status == 404
    assert (await ann.gets(second)).status == 200
    assert await avatar_files(node) == 1

    await ann.call("people.update", avatar="")
    assert (await ann.gets(second)).status == 404
    assert await avatar_files(node) == 0


async def test_who_may_rename_a_group_gives_it_a_picture(node: Node, ann: Reader, bob: Reader) -> None:
    group = await ann.group(bob, title="garden")
    avatar = await sets(ann, WIDE, conversation=group)

    assert (await bob.call("conversations.get", conversation=group))["conversation"]["avatar"] == avatar
    assert (await bob.gets(avatar)).status == 200
    with refused("forbidden", "conversation"):
        await sets(bob, WIDE, conversation=group)
    await ann.call("conversations.update", conversation=group, title="yard")
    assert (await bob.gets(avatar)).status == 200
    await ann.call("conversations.update", conversation=group, avatar="")
    assert (await bob.gets(avatar)).status == 404
    assert await avatar_files(node) == 0


async def test_erasing_a_user_removes_their_pictures(node: Node, ann: Reader, bob: Reader) -> None:
    root = await User.new(node, "root", admin=True)
    group = await ann.group(bob, title="garden")
    own, of_group, bobs = await sets(ann, WIDE), await sets(ann, WIDE, conversation=group), await sets(bob, WIDE)

    await root.call("people.erase", person="ann", handle="ann")

    assert [(await bob.gets(each)).status for each in (own, of_group, bobs)] == [404, 404, 200]
    assert "avatar" not in (await bob.call("conversations.get", conversation=group))["conversation"]
    assert await avatar_files(node) == 1


async def test_what_is_no_picture_of_the_users_own_is_refused(node: Node, ann: Reader, bob: Reader) -> None:
    await sets(ann, WIDE)
    avatar = (await ann.call("people.me"))["person"]["avatar"]
    bobs = await uploads(bob, WIDE)
    for file, code in (
        (bobs, "not_found"),
        (avatar.rpartition("/")[2], "not_found"),
        ("0" * 32, "not_found"),
        (await uploads(ann, b"just text"), "invalid"),
        (await uploads(ann, WIDE[:-100]), "invalid"),
        (await uploads(ann, pictures.bomb(30_000, 30_000)), "invalid"),
    ):
        with refused(code, "file"):
            await ann.call("attachments.avatar.set", file=file)
    assert (await ann.call("people.me"))["person"]["avatar"] == avatar


async def test_the_file_of_an_avatar_is_nothing_else(ann: Reader, bob: Reader) -> None:
    avatar = await sets(ann, WIDE)
    upload = await uploads(ann, WIDE)

    assert (await ann.gets(avatar.replace("avatars", "files"))).status == 404
    assert (await ann.gets(f"/plugins/attachments/avatars/{upload}")).status == 404
