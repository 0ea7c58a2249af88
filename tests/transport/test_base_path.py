"""A node below a path: with a proxy that passes the path on, with one that strips it, and with one that tells of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode.client import connect
from chatnode.config import Accounts, Config, Server
from chatnode.dispatch.core import base_path_of, public_url_of
from chatnode.errors import StartError
from chatnode.node import Node, open_node
from tests import needs
from tests.services.dialogue import PASSWORD, with_password

from .clients import PATIENCE, Address, ChatSocket, EventStream, Http, Response, address_of, bearer
from .test_nginx import CLIENT, free_port, is_open

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def config() -> Config:
    return Config(server=Server(base_path="/chat/", shutdown_seconds=1.0), accounts=Accounts())


async def sign_in(http: Http, base: str, handle: str = "ann", **headers: str) -> Response:
    body = json.dumps({"handle": handle, "password": PASSWORD}).encode()
    return await http.request("POST", f"{base}/v1/sessions.create", body, JSON | headers)


def path_of_cookie(response: Response) -> str | None:
    return next((flag[5:] for flag in response.headers["set-cookie"].split("; ") if flag.startswith("Path=")), None)


# ---- settings


def test_the_base_path_may_be_in_the_public_url() -> None:
    inside = Server(public_url="https://example.org/chat")
    beside = Server(public_url="https://example.org", base_path="/chat")
    both = Server(public_url="https://example.org/chat", base_path="/chat")
    for each in (inside, beside, both):
        assert (base_path_of(each), public_url_of(each)) == ("/chat", "https://example.org/chat")
    assert (base_path_of(Server()), public_url_of(Server())) == ("", "")
    alone = Server(base_path="/chat")
    assert (base_path_of(alone), public_url_of(alone)) == ("/chat", "")
    with pytest.raises(StartError, match=r"base_path is '/x', but server\.public_url has the path '/chat'"):
        Server(public_url="https://example.org/chat", base_path="/x")


# ---- the two ways of a proxy


@pytest.mark.parametrize("base", ["/chat", ""], ids=["passed on", "stripped"])
async def test_everything_is_served_with_and_without_the_path(
    address: Address, http: Http, anns: str, bobs: str, base: str
) -> None:
    page = await http.request("GET", f"{base}/")
    assert (page.status, b'href="page.css"' in page.body) == (200, True)
    assert (await http.request("GET", f"{base}/page.css")).status == 200
    assert (await http.request("GET", f"{base}/health")).status == 200
    talk = await http.request("POST", f"{base}/v1/conversations.direct", b'{"with": "bob"}', JSON | bearer(anns))
    fields = {"conversation": talk.json["conversation"], "cid": "1", "text": "hello"}
    async with await EventStream.open(address, anns, path=f"{base}/v1/events") as stream:
        await stream.take("live")
        chat = await ChatSocket.open(address, path=f"{base}/v1/socket")
        async with chat:
            await chat.hello(anns)
            posted = await chat.call("messages.post", **fields)
        assert (await stream.take("message.posted")).data["gid"] == posted["gid"]
    document = (await http.request("GET", f"{base}/v1/openapi.json")).json
    assert document["servers"] == [{"url": "/chat"}]
    assert (await http.request("GET", "/chatter/")).status == 404
    assert (await http.request("GET", "/chat/chat/health")).status == 404


@pytest.mark.parametrize("base", ["/chat", ""], ids=["passed on", "stripped"])
async def test_the_cookie_is_for_the_path_only(http: Http, node: Node, base: str) -> None:
    await with_password(node, "ann")
    signed_in = await sign_in(http, base)
    assert path_of_cookie(signed_in) == "/chat"
    cookie = {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    me = await http.request("GET", f"{base}/v1/people.me", headers=cookie)
    assert me.json["person"]["handle"] == "ann"
    listed = await http.request("GET", f"{base}/v1/sessions.list", headers=cookie)
    (current,) = [each["session"] for each in listed.json["sessions"] if each.get("current")]
    body = json.dumps({"session": current}).encode()
    signed_out = await http.request("POST", f"{base}/v1/sessions.revoke", body, JSON | cookie)
    assert (path_of_cookie(signed_out), "Max-Age=0" in signed_out.headers["set-cookie"]) == ("/chat", True)


async def test_the_path_without_a_slash_leads_to_the_page(http: Http) -> None:
    answer = await http.request("GET", "/chat?a=b")
    assert (answer.status, answer.headers["location"]) == (308, "/chat/?a=b")
    assert (await http.request("GET", answer.headers["location"])).status == 200


async def test_links_begin_with_the_path(node: Node, http: Http, address: Address, anns: str) -> None:
    link = (await node.call("setup.create"))["link"]
    assert link.startswith(f"http://127.0.0.1:{address[1]}/chat/#setup=")
    page = await http.request("GET", "/chat/plugins", headers=bearer(anns))
    assert b'href="./page.css"' in page.body


async def test_the_client_library_and_its_files_work_below_the_path(
    node: Node, address: Address, anns: str, bobs: str, tmp_path: Path
) -> None:
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(b"x" * 100_000)
    url = f"http://{address[0]}:{address[1]}/chat"
    async with connect(url, anns, events=False) as ann, connect(url, bobs, events=False) as bob:
        talk = await ann.direct("bob")
        uploaded = await ann.upload(sent)
        await ann.post(talk, files=[uploaded])
        assert [each.kind for each in await bob.history(talk)] == ["file"]
        await bob.download(uploaded, got)
    assert got.read_bytes() == sent.read_bytes()


async def test_a_node_that_serves_says_its_path(tmp_path: Path) -> None:
    config = Config(server=Server(base_path="/chat", shutdown_seconds=0.1))
    async with open_node(tmp_path / "data", config=config) as node, trio.open_nursery() as nursery:
        url = await nursery.start(node.serve, "127.0.0.1:0")
        assert (url, node.core.base_url) == (f"http://127.0.0.1:{address_of(url)[1]}/chat",) * 2
        nursery.cancel_scope.cancel()


# ---- a path that the proxy names


INGRESS = "/api/hassio_ingress/x-Y_z"


@pytest.mark.parametrize("config", [Config(server=Server(trusted_proxies=("127.0.0.1",)))], ids=[""])
async def test_a_trusted_proxy_names_the_path(http: Http, node: Node) -> None:
    await with_password(node, "ann")
    found = {
        said: path_of_cookie(await sign_in(http, "", **{"X-Ingress-Path": said}))
        for said in (INGRESS, f"{INGRESS}/", "", "no path", "/a; Domain=evil.org", "/a, /b", "//evil.org", "/v1")
    }
    assert found == {INGRESS: INGRESS, f"{INGRESS}/": INGRESS} | dict.fromkeys(list(found)[2:], "/")
    document = (await http.request("GET", "/v1/openapi.json", headers={"X-Ingress-Path": INGRESS})).json
    assert document["servers"] == [{"url": INGRESS}]


async def test_nobody_else_names_the_path(http: Http, node: Node) -> None:
    await with_password(node, "ann")
    assert path_of_cookie(await sign_in(http, "", **{"X-Ingress-Path": INGRESS})) == "/chat"


# ---- nginx


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "/"], ids=["passed on", "stripped"])
async def test_behind_nginx(node: Node, address: Address, anns: str, bobs: str, tmp_path: Path, end: str) -> None:
    front = ("127.0.0.1", free_port())
    process = await trio.lowlevel.open_process(nginx(tmp_path, f"http://127.0.0.1:{address[1]}{end}", front[1]))
    try:
        with trio.fail_after(PATIENCE):
            while not await is_open(front):
                assert process.poll() is None
                await trio.sleep(0.05)
        await with_password(node, "zoe")
        async with await Http.open(front, source=CLIENT) as http:
            assert (await http.request("GET", "/chat/")).status == 200
            assert path_of_cookie(await sign_in(http, "/chat", "zoe")) == "/chat"
            assert (await http.request("GET", "/elsewhere")).status == 404
        url = f"http://127.0.0.1:{front[1]}/chat"
        async with connect(url, anns, events=False) as ann, connect(url, bobs, events=False) as bob:
            await ann.post(await ann.direct("bob"), "hello")
            assert [each.text for each in await bob.history(await bob.direct("ann"))] == ["hello"]
    finally:
        process.terminate()
        await process.wait()


def nginx(folder: Path, target: str, port: int) -> list[Any]:
    """The command that runs nginx with one location, as the document shows it."""
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr crit; events {{}}\n"
        f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port};\n"
        f"location = /chat {{ return 308 /chat/; }}\nlocation /chat/ {{ proxy_pass {target}; proxy_http_version 1.1;\n"
        "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
        'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }\n'
        "location / { return 404; } } }\n"
    )
    return [needs.program("nginx"), "-p", folder, "-c", folder / "nginx.conf"]
