"""What plugins serve over HTTP: commands like the node's own, routes, and pages for people."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import attrs
import jsonschema
import pytest
from openapi_spec_validator import validate

from chatnode.api import (
    CHAT,
    OPERATE,
    Context,
    Limit,
    Page,
    Permission,
    Refusal,
    Request,
    Response,
    Route,
    command,
    setting,
)
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.surface.making import made, node_with
from tests.services.dialogue import outcome
from tests.transport.clients import Address, ChatSocket, Http, bearer, serving


@attrs.frozen
class Settings:
    per_minute: int = setting(3, "Waves of one person.", minimum=0)


@attrs.define
class Wave:
    to: str = "everybody"


@attrs.define
class Waved:
    words: str


@command("demo.wave", permission="demo.use", limit="waves", reads=True)
async def wave(ctx: Context, asked: Wave) -> Waved:
    """Wave to somebody."""
    return Waved(f"{ctx.me.handle} waves to {asked.to}")


async def feed(ctx: Context, request: Request) -> Response:
    if request.path["of"] == "broken":
        raise ValueError("a fault of the plugin's")
    if request.path["of"] == "gone":
        raise Refusal("gone", "there is no such feed any more")
    return Response(
        f"{ctx.me.handle}: {request.path['of']} {request.query.get('page', '1')}",
        content_type="application/atom+xml",
        headers={"X-Feed": "yes"},
    )


async def hook(ctx: Context, request: Request) -> Response:
    return Response(
        json.dumps({"got": (await request.body()).decode(), "by": request.headers["x-by"]}), 202, "application/json"
    )


async def change(ctx: Context, request: Request) -> Response:
    return Response("changed")


async def show(ctx: Context, query: Mapping[str, str]) -> str:
    return f"<p>{len(query)} things</p><script>alert(1)</script>"


PLUGIN = made(
    "demo",
    settings=Settings,
    permissions=(Permission("demo.use", "wave"),),
    limits=(Limit("waves", "waves", "per_minute"),),
    commands=(wave,),
    routes=(
        Route("feeds/<of>", feed, "demo.use", summary="A feed."),
        Route("hook", hook, None, methods=("POST",)),
        Route("change", change, CHAT, methods=("PUT", "POST")),
    ),
    pages=(Page("", "Waves <all>", show, CHAT), Page("admin", "Inside", show, OPERATE)),
)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with node_with(tmp_path, PLUGIN) as node:
        yield node


@pytest.fixture
async def address(node: Node) -> AsyncIterator[Address]:
    async with serving(node) as address:
        yield address


async def token_of(who: User) -> str:
    return (await who.call("tokens.create"))["token"]


async def ask(address: Address, method: str, path: str, token: str | None = None, **more: Any) -> Any:
    async with await Http.open(address) as http:
        return await http.request(method, path, headers=bearer(token) | more.pop("headers", {}), **more)


async def test_a_command_is_in_the_protocol_over_http_and_in_the_document(node: Node, address: Address) -> None:
    ann = await User.new(node, "ann")
    token = await token_of(ann)
    got = await ask(address, "GET", "/v1/demo.wave?to=bob", token)
    assert json.loads(got.body) == {"words": "ann waves to bob"}
    async with await ChatSocket.signed_in(address, token) as socket:
        assert (await socket.call("demo.wave", to="eve"))["words"] == "ann waves to eve"
    document = json.loads((await ask(address, "GET", "/v1/openapi.json")).body)
    validate(document)
    assert document["paths"]["/v1/demo.wave"]["post"]["summary"] == "Wave to somebody."
    assert set(document["paths"]["/plugins/demo/change"]) == {"put", "post"}
    assert document["paths"]["/plugins/demo/feeds/{of}"]["get"]["parameters"][0]["name"] == "of"


async def test_a_limit_of_the_plugins_counts_for_each_person(node: Node) -> None:
    ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
    assert [await outcome(ann.call("demo.wave")) for _ in range(4)] == ["ok", "ok", "ok", "rate_limited"]
    assert await outcome(bob.call("demo.wave")) == "ok"


async def test_a_route_is_for_who_has_the_permission(node: Node, address: Address) -> None:
    ann = await User.new(node, "ann")
    token = await token_of(ann)
    assert (await ask(address, "GET", "/plugins/demo/feeds/news")).status == 401
    got = await ask(address, "GET", "/plugins/demo/feeds/news?page=2", token)
    assert (got.status, got.body, got.headers["x-feed"]) == (200, b"ann: news 2", "yes")
    assert got.headers["content-type"] == "application/atom+xml"
    await node.call("roles.set", role="member", permissions=["chat"])
    assert (await ask(address, "GET", "/plugins/demo/feeds/news", token)).status == 403


async def test_a_route_knows_the_session_of_the_requester(tmp_path: Path) -> None:
    async def ask_session(ctx: Context, request: Request) -> Response:
        return Response(str(ctx.session))

    async with node_with(tmp_path, made("demo", routes=(Route("session", ask_session, CHAT),))) as node:
        async with serving(node) as address:
            ann = await User.new(node, "ann")
            one, two = await token_of(ann), await token_of(ann)
            asked = [await ask(address, "GET", "/plugins/demo/session", token) for token in (one, two, one)]
        sessions = [each["session"] for each in (await ann.call("sessions.list"))["sessions"]]
        assert sorted(int(each.body) for each in asked[:2]) == sorted(sessions)
        assert asked[0].body == asked[2].body
        assert node.plugins.loaded["demo"].context.session is None


async def test_what_a_route_raises_ends_only_its_request(node: Node, address: Address) -> None:
    token = await token_of(await User.new(node, "ann"))
    gone = await ask(address, "GET", "/plugins/demo/feeds/gone", token)
    assert (gone.status, json.loads(gone.body)["error"]["code"]) == (410, "gone")
    broken = await ask(address, "GET", "/plugins/demo/feeds/broken", token)
    assert (broken.status, json.loads(broken.body)["error"]["code"]) == (500, "internal")
    assert b"fault of the plugin" not in broken.body
    assert (await ask(address, "GET", "/plugins/demo/feeds/news", token)).status == 200
    wrong = await ask(address, "DELETE", "/plugins/demo/feeds/news", token)
    assert (wrong.status, wrong.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_a_route_without_permission_is_for_anybody(address: Address) -> None:
    got = await ask(address, "POST", "/plugins/demo/hook", body=b"raw bytes", headers={"X-By": "somebody"})
    assert (got.status, json.loads(got.body)) == (202, {"got": "raw bytes", "by": "somebody"})


async def test_a_page_of_another_site_cannot_use_the_cookie_to_change_something(node: Node, address: Address) -> None:
    token = await token_of(await User.new(node, "ann"))
    cookie = {"Cookie": f"chatnode_session={token}"}
    form = cookie | {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await ask(address, "POST", "/plugins/demo/change", headers=form, body=b"a=1")).status == 400
    assert (await ask(address, "POST", "/plugins/demo/change", headers=cookie)).status == 400
    same = cookie | {"Content-Type": "application/json"}
    assert (await ask(address, "POST", "/plugins/demo/change", headers=same, body=b"{}")).status == 200
    other = same | {"Origin": "https://evil.example"}
    assert (await ask(address, "POST", "/plugins/demo/change", headers=other, body=b"{}")).status == 401


async def test_pages_are_listed_for_whom_they_are_for_and_run_no_scripts(node: Node, address: Address) -> None:
    ann, root = await User.new(node, "ann"), await User.new(node, "root", admin=True)
    anns, roots = await token_of(ann), await token_of(root)
    listed = await ask(address, "GET", "/plugins", anns)
    assert b"Waves &lt;all&gt;" in listed.body
    assert b"/plugins/demo/admin" not in listed.body
    assert b"/plugins/demo/admin" in (await ask(address, "GET", "/plugins", roots)).body
    page = await ask(address, "GET", "/plugins/demo/?a=1&b=2", anns)
    assert b"<p>2 things</p>" in page.body
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert (await ask(address, "GET", "/plugins/demo/admin", anns)).status == 403


async def test_links_of_pages_are_relative_so_that_a_proxy_may_serve_the_node_below_a_path(
    node: Node, address: Address
) -> None:
    token = await token_of(await User.new(node, "root", admin=True))
    for path in ("/plugins", "/plugins/demo/", "/plugins/demo/admin"):
        page = (await ask(address, "GET", path, token)).body.decode()
        found = {urljoin(f"https://example.org/chat{path}", link) for link in re.findall(r'href="([^"]*)"', page)}
        assert found >= {f"https://example.org/chat/{each}" for each in ("", "page.css", "plugins")}, path
        assert all(link.startswith("https://example.org/chat/") for link in found), path


async def test_who_is_not_signed_in_is_led_to_the_form_and_back(node: Node, address: Address) -> None:
    for path in ("/plugins", "/plugins/demo/?a=1&b=%2f+%26%22", "/plugins/demo/admin"):
        page = await ask(address, "GET", path)
        assert page.status == 401
        (link,) = re.findall(r'<a href="([^"]*)">Sign in</a> to see this page', page.body.decode())
        target = urlsplit(urljoin(f"http://node{path}", unescape(link)))
        assert target.path == "/"
        assert urljoin("http://node/", parse_qs(target.fragment)["next"][0]) == f"http://node{path}"
    ann = await token_of(await User.new(node, "ann"))
    forbidden = await ask(address, "GET", "/plugins/demo/admin", ann)
    assert (forbidden.status, b"Sign in" in forbidden.body) == (403, False)  # it would be of no use


async def test_the_list_of_pages_is_for_programs_too(node: Node, address: Address) -> None:
    json_only = {"Accept": "application/json"}
    token = await token_of(await User.new(node, "ann"))
    listed = await ask(address, "GET", "/plugins", token, headers=json_only)
    assert listed.headers["content-type"] == "application/json"
    assert listed.json == {"pages": [{"title": "Waves <all>", "path": "plugins/demo/"}]}
    document = (await ask(address, "GET", "/v1/openapi.json")).json
    content = document["paths"]["/plugins"]["get"]["responses"]["200"]["content"]
    jsonschema.Draft202012Validator(content["application/json"]["schema"]).validate(listed.json)
    refused = await ask(address, "GET", "/plugins", headers=json_only)
    assert (refused.status, refused.error["code"]) == (401, "unauthenticated")
    for accept in ("", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8"):
        page = await ask(address, "GET", "/plugins", token, headers={"Accept": accept})
        assert page.headers["content-type"].startswith("text/html"), accept
