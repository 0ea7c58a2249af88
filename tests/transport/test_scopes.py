"""A token's scopes are the same over socket, HTTP and event stream."""

from __future__ import annotations

import pytest

from chatnode.config import Config, Server
from chatnode.model.permissions import PERMISSIONS, scopes_of
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.services.dialogue import token_of

from .clients import Address, ChatSocket, EventStream, Http, bearer


async def test_a_reading_token_hears_and_does_not_post(address: Address, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    token = (await token_of(bob, scopes=["chat:read"])).secret
    post = {"conversation": talk, "cid": "1", "text": "from a reader"}
    async with (
        await ChatSocket.signed_in(address, token) as socket,
        await EventStream.open(address, token) as stream,
        await Http.open(address) as http,
    ):
        await stream.take("live")
        await ann.says(talk, "hello")
        assert (await socket.push("message.posted"))["message"]["text"] == "hello"
        assert (await stream.take("message.posted")).data["message"]["text"] == "hello"
        assert (await http.get("messages.list", token, conversation=talk)).status == 200
        assert (await http.call("messages.post", token, **post)).error["code"] == "forbidden"
        with refused("forbidden"):
            await socket.call("messages.post", **post)
        with refused("forbidden"):
            await socket.call("tokens.create")


async def test_several_requests_at_once_have_the_scopes_too(address: Address, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    token = (await token_of(bob, scopes=["chat:read"])).secret
    async with await ChatSocket.signed_in(address, token) as socket:
        posts = [{"id": n, "op": "messages.post", "conversation": talk, "cid": f"c{n}", "text": "x"} for n in (7, 8)]
        await socket.ask(*posts)
        for number in (7, 8):
            assert (await socket.reply(number))["error"]["code"] == "forbidden"


@pytest.mark.parametrize("scopes", [["operate"], ["groups.create"], []])
async def test_a_token_for_something_else_hears_nothing(address: Address, ann: User, scopes: list[str]) -> None:
    token = (await token_of(ann, scopes=scopes)).secret
    async with await ChatSocket.open(address) as socket:
        with refused("forbidden"):
            await socket.hello(token)
    async with await Http.open(address) as http:
        answer = await http.request("GET", "/v1/events", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status, answer.error["code"]) == (403, "forbidden")


async def test_deactivation_ends_socket_and_stream_at_once(address: Address, node: Node, ann: User, bob: User) -> None:
    token = (await token_of(bob)).secret
    async with (
        await ChatSocket.signed_in(address, token) as socket,
        await EventStream.open(address, token) as stream,
        await Http.open(address) as http,
    ):
        await stream.take("live")
        await node.call("people.deactivate", person="bob")
        assert (await socket.closed()).code == 4001
        await stream.take("session.revoked")
        while await stream.next() is not None:
            pass
        assert (await http.call("people.me", token)).error["code"] == "unauthenticated"


async def test_erasure_ends_socket_stream_and_export_at_once(
    address: Address, node: Node, ann: User, bob: User
) -> None:
    await ann.direct(bob)
    token = (await token_of(bob)).secret
    async with (
        await ChatSocket.signed_in(address, token) as socket,
        await EventStream.open(address, token) as stream,
        await Http.open(address) as http,
    ):
        await stream.take("live")
        await node.call("people.erase", person="bob", handle="bob")
        assert (await socket.closed()).code == 4001
        while await stream.next() is not None:
            pass
        for path in ("/v1/export", "/v1/people.me", "/v1/events", "/items/people"):
            answer = await http.request("GET", path, headers=bearer(token))
            assert (answer.status, answer.error["code"]) == (401, "unauthenticated"), path


ROUTES = {
    "/v1/events": {"chat", "chat:read"},
    "/v1/export": set[str](),
    "/items/people": {"chat", "chat:read"},
    "/items/audit": set[str](),  # both are needed: see below
    "/items/accounts": set[str](),
    "/items/jobs": set[str](),
    "/metrics": {"operate", "operate:read"},
    "/v1/audit.list": {"audit.read", "audit.read:read"},
    "/v1/people.sessions?person=root": {"people.manage", "people.manage:read"},
}


@pytest.mark.parametrize(
    "config", [Config(server=Server(metrics_addresses=(), shutdown_seconds=1.0))], ids=["nobody is trusted"]
)
async def test_a_token_of_one_scope_reaches_just_these_routes(address: Address, node: Node) -> None:
    root = await User.new(node, "root", admin=True)
    for scope in sorted(scopes_of(PERMISSIONS)):
        token = (await token_of(root, scopes=[scope])).secret
        async with await Http.open(address) as http:
            for path, enough in ROUTES.items():
                method = "HEAD" if path == "/v1/events" else "GET"
                answer = await http.request(method, path, headers=bearer(token))
                assert answer.status == (200 if scope in enough else 403), (scope, path)


async def test_a_list_for_administrators_takes_both_scopes(address: Address, node: Node) -> None:
    root = await User.new(node, "root", admin=True)
    token = (await token_of(root, scopes=["chat:read", "audit.read:read"])).secret
    async with await Http.open(address) as http:
        assert (await http.request("GET", "/items/audit", headers=bearer(token))).status == 200
        assert (await http.request("GET", "/items/accounts", headers=bearer(token))).status == 403
