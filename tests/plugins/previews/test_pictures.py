"""Pictures of pages, which the plugin attachments decodes in its sandbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import chatnode_attachments
import chatnode_previews
import pytest
from PIL import Image

from chatnode.node import Node
from chatnode.testing import Answer, LiveUser, User, fetch
from tests.plugins.attachments.pictures import CANARY, bomb, drawing, encoded, with_metadata
from tests.plugins.previews.looking import previews, settle
from tests.plugins.previews.site import Site, endless, html, redirect
from tests.plugins.sql import rows


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    return [chatnode_attachments, chatnode_previews]


def shows(site: Site, path: str, body: bytes, content_type: str = "image/jpeg") -> str:
    """Set a picture; returns its address."""
    return site.has(path, html(body, content_type=content_type))


async def picture_of(node: Node, who: User, group: str, page: str) -> dict[str, Any] | None:
    """Post a link to a page, and return the picture of its preview."""
    await who.says(group, page)
    await settle(node)
    [preview] = (await previews(who, group))[page]
    return preview.get("picture")


async def got(url: str, who: User, picture: dict[str, Any]) -> Answer:
    return await fetch(url + picture["path"], await who.token())


async def test_all_who_see_the_message_see_the_picture(
    node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser, eve: LiveUser
) -> None:
    group = await ann.group(bob)
    shows(site, "/hidden.jpg", with_metadata("JPEG"))
    page = site.page("/news", "News", image="/hidden.jpg")
    found = await picture_of(node, ann, group, page)
    assert found is not None
    assert (found["width"], found["height"]) == (64, 48)
    assert (await bob.hears("preview.added"))["previews"][0]["picture"] == found
    answer = await got(url, bob, found)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/webp")
    with Image.open(BytesIO(answer.body)) as image:
        assert (image.format, image.size) == ("WEBP", (64, 48))
    assert CANARY.encode() not in answer.body
    assert (await got(url, eve, found)).status == 404
    assert (await fetch(url + found["path"])).status == 401
    assert "hidden" not in json.dumps(await bob.sees(group))  # no client learns of the address


async def test_a_large_picture_is_made_small(node: Node, url: str, site: Site, ann: LiveUser) -> None:
    group = await ann.group()
    shows(site, "/large.png", encoded(drawing(1600, 1200), "PNG"), "image/png")
    found = await picture_of(node, ann, group, site.page("/1", "one", image=f"{site.url}/large.png"))
    assert found is not None
    assert (found["width"], found["height"]) == (320, 240)
    assert len((await got(url, ann, found)).body) < 100_000


async def test_a_page_that_is_known_has_its_picture(
    node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser
) -> None:
    shows(site, "/p.jpg", encoded(drawing(), "JPEG"))
    page = site.page("/1", "one", image="p.jpg")
    first = await picture_of(node, ann, await ann.group(), page)
    second = await picture_of(node, bob, await bob.group(), page)
    assert first is not None
    assert second is not None
    assert first["path"] != second["path"]  # each is for those who see its message
    assert site.hits == {"/1": 1, "/p.jpg": 1}
    assert (await got(url, bob, second)).status == 200
    assert (await got(url, bob, first)).status == 404


async def test_what_is_no_picture_leaves_a_preview_without_one(node: Node, url: str, site: Site, ann: LiveUser) -> None:
    group = await ann.group()
    jpeg = encoded(drawing(), "JPEG")
    shows(site, "/fine.jpg", jpeg)
    addresses = [
        shows(site, "/1.jpg", b"GIF89a and then nothing"),
        shows(site, "/2.svg", b"<svg/>", "image/svg+xml"),
        shows(site, "/3.html", jpeg, "text/html"),
        shows(site, "/4.png", bomb(40_000, 40_000), "image/png"),
        shows(site, "/5.png", encoded(Image.new("RGB", (3000, 1)), "PNG"), "image/png"),
        shows(site, "/6.jpg", jpeg + bytes(5 << 20)),
        site.has("/7.jpg", endless(jpeg)),
        site.has("/8.jpg", redirect("http://169.254.169.254/latest/meta-data")),
        site.has("/9.jpg", redirect("/unsubscribe?all=1")),
        f"{site.url}/missing.jpg",
        f"{site.url}/logout.jpg", "http://10.0.0.1/p.jpg", "file:///etc/passwd", "data:image/png;base64,AAAA",
        "http://[::1", " ", "//", f"{site.url}/fine.jpg?token=1",
    ]  # fmt: skip
    for number, address in enumerate(addresses):
        assert await picture_of(node, ann, group, site.page(f"/page{number}", "page", image=address)) is None, address
    assert "/unsubscribe?all=1" not in site.hits
    assert "/logout.jpg" not in site.hits
    assert await picture_of(node, ann, group, site.page("/last", "page", image="/fine.jpg")) is not None


async def test_a_reducer_that_fails_leaves_a_preview_without_a_picture(
    node: Node, url: str, site: Site, ann: LiveUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chatnode_attachments.reducing._taken", fail)
    group = await ann.group()
    shows(site, "/large.png", encoded(drawing(1600, 1200), "PNG"), "image/png")
    assert await picture_of(node, ann, group, site.page("/full", "full", image="/large.png")) is None


async def test_the_picture_goes_with_the_preview(node: Node, url: str, site: Site, ann: LiveUser) -> None:
    group = await ann.group()
    shows(site, "/p.jpg", encoded(drawing(), "JPEG"))
    for number in range(3):
        page = site.page(f"/{number}", "page", image="/p.jpg")
        message = await ann.says(group, page)
        await settle(node)
        [preview] = (await previews(ann, group))[page]
        assert (await got(url, ann, preview["picture"])).status == 200
        match number:
            case 0:
                await ann.call("messages.delete", message=message)
            case 1:
                await ann.call("previews.remove", message=message)
            case _:
                await ann.call("messages.edit", message=message, text="never mind")
                await settle(node)
        assert (await got(url, ann, preview["picture"])).status == 404
    assert await rows(node, "SELECT * FROM previews_pictures") == []


@pytest.mark.parametrize("more_settings", [{"pictures": False}])
async def test_pictures_may_be_switched_off(node: Node, url: str, site: Site, ann: LiveUser) -> None:
    shows(site, "/p.jpg", encoded(drawing(), "JPEG"))
    assert await picture_of(node, ann, await ann.group(), site.page("/1", "one", image="/p.jpg")) is None
    assert site.hits == {"/1": 1}


@pytest.mark.parametrize("only_plugins", [[chatnode_previews]])
async def test_a_node_that_decodes_no_pictures_fetches_none(node: Node, url: str, site: Site, ann: LiveUser) -> None:
    shows(site, "/p.jpg", encoded(drawing(), "JPEG"))
    assert await picture_of(node, ann, await ann.group(), site.page("/1", "one", image="/p.jpg")) is None
    assert site.hits == {"/1": 1}
