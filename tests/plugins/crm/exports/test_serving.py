"""Files of exports over HTTP: for their owners, and for those with a link."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import trio

from chatnode.dispatch import signing
from chatnode.model.times import now_ms
from chatnode.node import Node
from chatnode.testing import Answer, User, fetch, refused
from tests.plugins.crm.exports.making import add, contact, path_of


@pytest.fixture
async def made(node: Node, url: str, mara: User) -> dict[str, Any]:
    """Mara's export, on a node that serves."""
    await add(node, contact(email="ann@example.com"), contact(email="bob@example.com"))
    export = (await mara.call("crm.exports.create", contacts={"all": True}))["export"]
    with trio.fail_after(20):
        while export["status"] != "done":
            await trio.sleep(0.01)
            export = (await mara.call("crm.exports.get", export=export["export"]))["export"]
    return export


async def ask(url: str, token: str, command: str, **fields: Any) -> dict[str, Any]:
    """Run a command over HTTP, in the token's session."""
    headers = {"Content-Type": "application/json"}
    answer = await fetch(f"{url}/v1/{command}", token, method="POST", body=json.dumps(fields).encode(), headers=headers)
    return json.loads(answer.body)


async def by_link(url: str, mara: User, made: dict[str, Any], **options: Any) -> Answer:
    link = (await mara.call("crm.exports.link", export=made["export"]))["link"]
    return await fetch(url + link, **options)


def changed(link: str, **fields: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{urlencode(dict(parse_qsl(parts.query)) | fields)}"


async def test_a_link_gives_the_file_to_save(node: Node, url: str, mara: User, made: dict[str, Any]) -> None:
    content = (await path_of(node, made)).read_bytes()
    got = await by_link(url, mara, made)
    assert (got.status, got.body) == (200, content)
    assert got.headers["content-type"] == "text/csv; charset=utf-8"
    assert got.headers["content-disposition"].startswith(f'attachment; filename="{made["name"]}"')
    assert got.headers["cache-control"] == "private, no-store"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]
    shown = (await mara.call("crm.exports.get", export=made["export"]))["export"]
    assert shown["downloaded_at"]
    entries = (await node.call("audit.list"))["entries"]
    assert {each["action"] for each in entries} >= {"crm.exports.create", "crm.exports.download"}


async def test_a_part_can_be_asked_for(node: Node, url: str, mara: User, made: dict[str, Any]) -> None:
    content = (await path_of(node, made)).read_bytes()
    part = await by_link(url, mara, made, headers={"Range": "bytes=3-9"})
    assert (part.status, part.body) == (206, content[3:10])
    assert part.headers["content-range"] == f"bytes 3-9/{len(content)}"
    assert (await by_link(url, mara, made, headers={"Range": f"bytes={len(content)}-"})).status == 416
    whole = await by_link(url, mara, made, method="HEAD")
    assert (whole.status, whole.body, whole.headers["content-length"]) == (200, b"", str(len(content)))
    same = await by_link(url, mara, made, headers={"If-None-Match": whole.headers["etag"]})
    assert same.status == 304


async def test_the_owner_needs_no_link(url: str, mara: User, kim: User, made: dict[str, Any]) -> None:
    address = f"{url}/plugins/crm/exports/{made['export']}"
    assert (await fetch(address, await mara.token())).status == 200
    assert (await fetch(address, await kim.token())).status == 404
    assert (await fetch(address)).status == 401


async def test_a_link_is_for_its_user_and_its_export(url: str, mara: User, kim: User, made: dict[str, Any]) -> None:
    link = (await mara.call("crm.exports.link", export=made["export"]))["link"]
    for other in (
        changed(link, person=kim.id),
        changed(link, signature="0" * 40),
        link.replace(made["export"], "0" * 32),
        changed(link, session="1"),
    ):
        assert (await fetch(url + other)).status == 404
    with refused("not_found"):
        await kim.call("crm.exports.link", export=made["export"])


async def test_a_link_ends_with_the_permission(node: Node, url: str, mara: User, made: dict[str, Any]) -> None:
    link = (await mara.call("crm.exports.link", export=made["export"]))["link"]
    await node.call("people.role", person="mara", role="contacts_viewer")
    answer = await fetch(url + link)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (403, "forbidden")
    await node.call("people.role", person="mara", role="contacts_manager")
    assert (await fetch(url + link)).status == 200
    await node.call("people.deactivate", person="mara")
    assert (await fetch(url + link)).status == 404


async def test_a_link_ends_with_its_session(url: str, mara: User, made: dict[str, Any]) -> None:
    token = await mara.token()
    link = (await ask(url, token, "crm.exports.link", export=made["export"]))["link"]
    assert (await fetch(url + link)).status == 200
    [session] = (await ask(url, token, "sessions.list"))["sessions"]
    await ask(url, token, "sessions.revoke", session=session["session"])
    assert (await fetch(url + link)).status == 404


async def test_a_link_ends_after_a_day(
    url: str, mara: User, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    link = (await mara.call("crm.exports.link", export=made["export"]))["link"]
    later = now_ms() + 24 * 3_600_000 + 1_000
    monkeypatch.setattr(signing, "now_ms", lambda: later)
    assert (await fetch(url + link)).status == 404


async def test_a_file_that_is_deleted_is_gone(node: Node, url: str, mara: User, made: dict[str, Any]) -> None:
    link = (await mara.call("crm.exports.link", export=made["export"]))["link"]
    path = await path_of(node, made)
    await mara.call("crm.exports.delete", export=made["export"])
    assert (await fetch(url + link)).status == 410
    assert not path.exists()
    with refused("gone"):
        await mara.call("crm.exports.link", export=made["export"])
