"""Signed links: they say who asks, and give what this user may have when they are used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from chatnode_attachments.state import Attachments

from chatnode.dispatch import signing
from chatnode.model.times import now_ms
from tests.transport.clients import Address, Http

from .fetching import Reader, fetch
from .storing import WEBP, Stored, Storing


@pytest.fixture
async def ann(storing: Storing, address: Address) -> Reader:
    return await Reader.at(address, storing.node, "ann")


@pytest.fixture
async def bob(storing: Storing, address: Address) -> Reader:
    return await Reader.at(address, storing.node, "bob")


@pytest.fixture
async def picture(storing: Storing, ann: Reader, bob: Reader) -> Stored:
    """Ann's, which Bob may see."""
    stored = await storing.picture(ann)
    await storing.post(stored, ann, await ann.direct(bob))
    return stored


async def link_of(who: Reader, stored: Stored, **fields: Any) -> str:
    return (await who.asks("attachments.link", file=stored.id, **fields))["link"]


def changed(link: str, **fields: str | None) -> str:
    """The link with other fields in its query; None removes one."""
    parts = urlsplit(link)
    query = {name: value for name, value in {**dict(parse_qsl(parts.query)), **fields}.items() if value is not None}
    return f"{parts.path}?{urlencode(query)}"


async def test_a_link_works_without_signing_in(address: Address, bob: Reader, picture: Stored) -> None:
    link = await link_of(bob, picture)
    got = await fetch(address, link)
    assert (got.status, got.body, got.headers["content-type"]) == (200, picture.content, "image/png")
    assert got.headers["content-disposition"].startswith("inline")
    assert bob.bearer["Authorization"] not in link
    assert (await fetch(address, link, headers={"Range": "bytes=0-3"})).status == 206
    assert (await fetch(address, link, "HEAD")).headers["etag"] == got.headers["etag"]
    assert (await fetch(address, link, headers={"If-None-Match": got.headers["etag"]})).status == 304


async def test_a_link_is_for_one_variant_and_one_way_to_show_it(address: Address, bob: Reader, picture: Stored) -> None:
    thumb = await link_of(bob, picture, variant="thumb320")
    assert (await fetch(address, thumb)).body == WEBP
    saved = await link_of(bob, picture, disposition="attachment")
    assert (await fetch(address, saved)).headers["content-disposition"].startswith("attachment")
    assert (await fetch(address, changed(saved, download=None))).status == 404
    assert (await fetch(address, thumb.replace("/thumb320", ""))).status == 404
    assert await bob.asks("attachments.link", file=picture.id, variant="thumb1280") == "not_found"


async def test_a_link_counts_for_who_asked_for_it(
    storing: Storing, address: Address, ann: Reader, bob: Reader, picture: Stored
) -> None:
    for who, counted in ((ann, 0), (bob, 1)):
        await fetch(address, await link_of(who, picture))
        await storing.node.core.state(Attachments).counts.write(storing.context)
        assert await storing.rows("SELECT downloads FROM attachments_files") == [(counted,)]


async def test_a_link_may_be_asked_for_by_get_and_with_a_scoped_token(
    address: Address, bob: Reader, picture: Stored
) -> None:
    token = (await bob.call("tokens.create", scopes=["chat:read"]))["token"]
    async with await Http.open(address) as http:
        got = await http.get("attachments.link", token, file=picture.id, seconds=1)
    assert (await fetch(address, got.json["link"])).status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"signature": "x"},
        {"signature": ""},
        {"signature": "a.b.c"},
        {"signature": "é.1.ü"},
        {"person": None},
        {"person": "ann"},
        {"person": ""},
        {"session": None},
        {"session": "999"},
        {"session": ""},
        {"session": "1 OR 1=1"},
        {"download": "1"},
        {"download": ""},
    ],
    ids=str,
)
async def test_a_changed_link_is_not_valid(
    address: Address, ann: Reader, bob: Reader, picture: Stored, change: dict[str, str | None]
) -> None:
    link = await link_of(bob, picture)
    if "person" in change and change["person"] == "ann":
        change = {"person": ann.id}
    got = await fetch(address, changed(link, **change))
    assert (got.status, got.error["code"]) == (404, "not_found")
    assert (await fetch(address, link)).status == 200


async def test_a_link_is_not_valid_for_another_file(
    storing: Storing, address: Address, ann: Reader, picture: Stored
) -> None:
    other = await storing.picture(ann)
    link = await link_of(ann, picture)
    assert (await fetch(address, link.replace(picture.id, other.id))).status == 404


async def test_a_signature_with_another_end_is_not_valid(address: Address, bob: Reader, picture: Stored) -> None:
    link = await link_of(bob, picture, seconds=60)
    key, until, mac = parse_qs(urlsplit(link).query)["signature"][0].split(".")
    assert (await fetch(address, changed(link, signature=f"{key}.{int(until) + 60}.{mac}"))).status == 404


async def test_a_link_ends_at_its_time(
    address: Address, bob: Reader, picture: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await bob.asks("attachments.link", file=picture.id, seconds=60)
    start = now_ms()
    monkeypatch.setattr(signing, "now_ms", lambda: start + 58_000)
    assert (await fetch(address, made["link"])).status == 200
    monkeypatch.setattr(signing, "now_ms", lambda: start + 62_000)
    assert (await fetch(address, made["link"])).status == 404


@pytest.mark.parametrize("seconds", [0, -1, 86_401])
async def test_a_link_lives_no_longer_than_a_day(bob: Reader, picture: Stored, seconds: int) -> None:
    assert await bob.asks("attachments.link", file=picture.id, seconds=seconds) == "invalid"


# ---- when it ends early


async def signs_out(storing: Storing, bob: Reader) -> None:
    for session in (await bob.call("sessions.list"))["sessions"]:
        await bob.call("sessions.revoke", session=session["session"])


async def is_deactivated(storing: Storing, bob: Reader) -> None:
    await storing.node.call("people.deactivate", person="bob")


async def loses_the_permission(storing: Storing, bob: Reader) -> None:
    await storing.node.call("roles.set", role="mute", permissions=["attachments.upload"])
    await storing.node.call("people.role", person="bob", role="mute")


async def is_erased(storing: Storing, bob: Reader) -> None:
    await storing.node.call("people.erase", person="bob", handle="bob")


@pytest.mark.parametrize("happens", [signs_out, is_deactivated, loses_the_permission, is_erased])
async def test_a_link_ends_with_what_its_user_may(
    storing: Storing, address: Address, bob: Reader, picture: Stored,
    happens: Callable[[Storing, Reader], Awaitable[None]],
) -> None:  # fmt: skip
    link = await link_of(bob, picture)
    assert (await fetch(address, link)).status == 200
    await happens(storing, bob)
    got = await fetch(address, link)
    assert (got.status, got.error["code"]) == (404, "not_found")


async def test_a_link_ends_with_its_own_session_only(
    storing: Storing, address: Address, bob: Reader, picture: Stored
) -> None:
    link = await link_of(bob, picture)
    other = await bob.token()
    async with await Http.open(address) as http:
        made = (await http.call("attachments.link", other, file=picture.id)).json["link"]
    second = max(each["session"] for each in (await bob.call("sessions.list"))["sessions"])
    await bob.call("sessions.revoke", session=second)
    assert [(await fetch(address, each)).status for each in (link, made)] == [200, 404]


async def test_the_token_of_another_user_changes_nothing(
    storing: Storing, address: Address, ann: Reader, bob: Reader, picture: Stored
) -> None:
    eve = await Reader.at(address, storing.node, "eve")
    link = await link_of(bob, picture)
    assert (await eve.gets(link)).status == 200  # the link says who asks
    assert (await eve.gets(picture.target)).status == 404
    assert (await ann.gets(changed(link, signature="x"))).status == 404  # and she could without it


async def test_a_link_made_for_a_user_by_a_plugin_needs_no_session(
    storing: Storing, address: Address, bob: Reader, picture: Stored
) -> None:
    made = await storing.context.as_person("bob").call("attachments.link", file=picture.id)
    assert (await fetch(address, made["link"])).status == 200
    await is_deactivated(storing, bob)
    assert (await fetch(address, made["link"])).status == 404


async def test_a_link_without_one_of_its_fields_is_none(address: Address, bob: Reader, picture: Stored) -> None:
    link = await link_of(bob, picture)
    for name in ("person", "session"):
        assert (await fetch(address, changed(link, **{name: None}))).status == 404
        assert (await fetch(address, changed(link, **{name: ""}))).status == 404


async def test_a_link_that_no_session_asked_for_has_none(address: Address, bob: Reader, picture: Stored) -> None:
    link = (await bob.call("attachments.link", file=picture.id))["link"]
    assert "session" not in link
    assert (await fetch(address, link)).body == picture.content
    assert (await fetch(address, changed(link, session="1"))).status == 404
