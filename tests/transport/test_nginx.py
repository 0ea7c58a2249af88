"""The documented lines for nginx, in a real nginx in front of a node."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from chatnode.config import Config, Limits, Server
from chatnode.node import Node
from chatnode.testing import User
from chatnode.transport.origins import COOKIE
from tests import needs
from tests.services.dialogue import PASSWORD, with_password

from .clients import PATIENCE, Address, ChatSocket, EventStream, Http, bearer, head, open_wire

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[2] / "docs/operating.md"
CLIENT = "127.0.0.2"
"""Where browsers come from: not from the proxy's own address, which is believed about others."""


@pytest.fixture
def config() -> Config:
    server = Server(trusted_proxies=("127.0.0.1",), shutdown_seconds=1.0)
    return Config(server=server, limits=Limits(logins_per_minute=2))


@pytest.fixture(params=["documented", "connections kept"])
async def proxy(request: pytest.FixtureRequest, address: Address, tmp_path: Path) -> AsyncIterator[Address]:
    """Where nginx listens: a port that is not HTTP's own."""
    nginx = needs.program("nginx")
    front = ("127.0.0.1", free_port())
    (tmp_path / "nginx.conf").write_text(configuration(address, front, tmp_path, keep=request.param != "documented"))
    process = await trio.lowlevel.open_process([nginx, "-p", tmp_path, "-c", tmp_path / "nginx.conf"])
    try:
        with trio.fail_after(PATIENCE):
            while not await is_open(front):
                assert process.poll() is None
                await trio.sleep(0.05)
        yield front
    finally:
        process.terminate()
        await process.wait()


def configuration(node: Address, front: Address, folder: Path, *, keep: bool) -> str:
    """The documented lines, with ports of the test's own and without TLS."""
    (documented,) = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    target = f"{node[0]}:{node[1]}"
    for old, new in (
        ("listen 443 ssl;", f"listen {front[0]}:{front[1]};"),
        ("http://127.0.0.1:8008", "http://nodes" if keep else f"http://{target}"),
    ):
        assert documented.count(old) == 1
        documented = documented.replace(old, new)
    upstream = f"upstream nodes {{ server {target}; keepalive 1; }}" if keep else ""
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr crit;\n"
        f"events {{}}\nhttp {{ access_log off; {paths}\n{upstream}\n{documented}\n}}\n"
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


async def is_open(address: Address) -> bool:
    try:
        await (await open_wire(address)).aclose()
    except OSError:
        return False
    return True


async def test_the_limit_of_sign_ins_holds_whatever_a_client_says_of_its_address(proxy: Address, node: Node) -> None:
    await with_password(node, "ann")
    found: list[int] = []
    async with await Http.open(proxy, source=CLIENT) as http:
        for number in range(4):
            body = json.dumps({"handle": f"guess-{number}", "password": PASSWORD}).encode()
            forged = {"X-Forwarded-For": f"203.0.113.{number}", "Content-Type": "application/json"}
            found.append((await http.request("POST", "/v1/sessions.create", body, forged)).status)
    assert found == [401, 401, 429, 429]
    async with await Http.open(proxy, source="127.0.0.3") as another:
        assert (await another.call("sessions.create", handle="ann", password=PASSWORD)).status == 200


async def test_http_2_leads_nowhere(proxy: Address, anns: str) -> None:
    async with await Http.open(proxy, source=CLIENT) as http:
        for upgrade in ("h2c", "H2C", "websocket, h2c", "h2c, websocket"):
            fields = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": upgrade, "HTTP2-Settings": "AAMAAABkAAQAAP__"}
            answer = await http.request("GET", "/v1/people.me", headers=fields | bearer(anns))
            assert (answer.status, answer.json["person"]["handle"]) == (200, "ann")


async def test_people_chat_through_it_on_connections_that_were_used_before(
    proxy: Address, ann: User, anns: str, bobs: str
) -> None:
    async with await Http.open(proxy, source=CLIENT) as http:
        for _ in range(3):
            assert (await http.get("people.me", anns)).status == 200
        talk = (await http.call("conversations.direct", anns, **{"with": "bob"})).json["conversation"]
        async with (
            await ChatSocket.signed_in(proxy, bobs, source=CLIENT) as chat,
            await EventStream.open(proxy, bobs, source=CLIENT) as stream,
        ):
            await stream.take("live")
            posted = await http.call("messages.post", anns, conversation=talk, cid="one", text="hello")
            assert (await chat.push("message.posted"))["gid"] == posted.json["gid"]
            assert (await stream.take("message.posted")).data["gid"] == posted.json["gid"]


async def test_a_page_on_a_port_of_its_own_uses_its_cookie(proxy: Address, anns: str) -> None:
    own = f"localhost:{proxy[1]}"
    counts = {f"http://{own}": True, "http://localhost": False, f"http://localhost:{proxy[1] + 1}": False}
    found: dict[str, bool] = {}
    async with await Http.open(proxy, source=CLIENT) as http:
        for origin in counts:
            fields = {"Host": own, "Cookie": f"{COOKIE}={anns}", "Origin": origin}
            found[origin] = (await http.request("GET", "/v1/people.me", headers=fields)).status == 200
    assert found == counts


async def test_an_upload_that_breaks_off_continues_where_it_stopped(proxy: Address, anns: str) -> None:
    """What was sent has reached the node, though the request did not end."""
    size, sent = 5_000_000, 3_000_000
    tus = bearer(anns) | {"Tus-Resumable": "1.0.0"}
    async with await Http.open(proxy, source=CLIENT) as http:
        created = await http.request("POST", "/plugins/attachments/uploads", b"", tus | {"Upload-Length": str(size)})
        path = f"/plugins/attachments/{created.headers['location']}"
        fields = tus | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        await http.send(head("PATCH", path, None, fields | {"Content-Length": str(size)}) + bytes(sent))
        await trio.sleep(0.5)
    async with await Http.open(proxy, source=CLIENT) as http:
        seen = await http.request("HEAD", path, headers=tus)
        assert (seen.status, seen.headers["upload-offset"]) == (200, str(sent))
        answer = await http.request("PATCH", path, bytes(size - sent), fields | {"Upload-Offset": str(sent)})
        assert (answer.status, answer.headers["upload-offset"]) == (204, str(size))
