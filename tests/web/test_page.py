"""The page at `/`: as it is served, and in a real browser where there is one."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import h11
import pytest
import trio

from chatnode.node import Node, open_node

from .browser import CHROMIUM, Page, browser

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


class Served:
    def __init__(self, node: Node, url: str) -> None:
        self.node = node
        self.url = url

    async def get(self, path: str) -> tuple[int, dict[str, str], str]:
        """Status, headers and body."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        connection = h11.Connection(h11.CLIENT)
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            request = h11.Request(method="GET", target=path, headers=[("Host", host), ("Connection", "close")])
            await stream.send_all((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
            status, headers, body = 0, {}, b""
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    connection.receive_data(await stream.receive_some())
                elif isinstance(event, h11.Response):
                    status = event.status_code
                    headers = {name.decode().lower(): value.decode() for name, value in event.headers}
                elif isinstance(event, h11.Data):
                    body += event.data
        return status, headers, body.decode()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with open_node(tmp_path / "data") as node, trio.open_nursery() as nursery:
        yield Served(node, await nursery.start(node.serve, "127.0.0.1:0"))
        nursery.cancel_scope.cancel()


# ---- as served


async def test_the_page_and_its_files_are_served_with_their_types(served: Served) -> None:
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
        status, headers, body = await served.get(path)
        assert status == 200, path
        assert headers["content-type"].startswith(kind)
        assert headers["x-content-type-options"] == "nosniff"
        assert body


async def test_the_policy_lets_nothing_in_from_elsewhere_and_nothing_inline(served: Served) -> None:
    _, headers, _ = await served.get("/")
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]


async def test_the_page_needs_nothing_that_the_policy_forbids(served: Served) -> None:
    _, _, html = await served.get("/")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:", html)
    for address in re.findall(r'(?:src|href)="([^"]+)"', html):
        if address != "data:,":
            assert "//" not in address
            status, _, _ = await served.get("/" + address)
            assert status == 200, address


async def test_every_field_has_a_label_and_a_place_for_its_error(served: Served) -> None:
    _, _, html = await served.get("/")
    fields = re.findall(r'<input id="(\w+)"', html)
    assert fields == ["handle", "name", "password", "again"]
    for field in fields:
        assert f'<label for="{field}">' in html
        assert f'id="{field}-error" class="error" role="alert"' in html


# ---- in a browser


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with browser(tmp_path / "profile") as opened:
        yield opened


async def fill(page: Page, **values: str) -> None:
    for field, value in values.items():
        await page.run(f"document.getElementById({field!r}).value = {value!r}")
    await page.run("document.getElementById('submit').click()")


@needs_browser
async def test_it_shows_that_the_node_lives(served: Served, page: Page) -> None:
    await page.open(served.url)
    await page.wait("document.getElementById('state').textContent === 'well'")
    assert await page.run("document.getElementById('live').textContent") == "0"
    assert re.match(r"\d+\.\d+", await page.run("document.getElementById('version').textContent"))
    assert (
        await page.run("document.getElementById('connect-command').textContent") == f"chatnode chat --url {served.url}"
    )
    assert await page.run("document.getElementById('invite').hidden") is True
    assert await page.run("document.getElementById('needs-setup').hidden") is False
    assert page.problems == []


@needs_browser
async def test_an_invite_link_makes_an_account(served: Served, page: Page) -> None:
    link = (await served.node.call("invites.create"))["link"]
    await page.open(link)
    assert await page.run("document.activeElement.id") == "handle"

    await fill(page, handle="cleo", password="correct horse", again="another horse")
    assert "not the same" in await page.run("document.getElementById('again-error').textContent")

    await fill(page, handle="cleo!", password="correct horse", again="correct horse")
    await page.wait("document.getElementById('handle-error').textContent !== ''")
    assert await page.run("document.activeElement.id") == "handle"
    assert await page.run("document.getElementById('handle').getAttribute('aria-invalid')") == "true"

    await fill(page, handle="cleo", password="short", again="short")
    await page.wait("document.getElementById('password-error').textContent !== ''")
    assert await page.run("document.getElementById('handle-error').textContent") == ""

    await fill(page, handle="cleo", name="Cleo", password="correct horse", again="correct horse")
    await page.wait("!document.getElementById('done').hidden")
    command = await page.run("document.getElementById('done-command').textContent")
    assert command == f"chatnode chat --url {served.url} --as cleo"
    assert await page.run("location.hash") == ""
    assert (await served.node.call("people.get", person="cleo"))["person"]["name"] == "Cleo"


@needs_browser
async def test_a_used_link_says_so(served: Served, page: Page) -> None:
    link = (await served.node.call("setup.create"))["link"]
    await served.node.call("people.create", handle="root", admin=True)
    await page.open(link)
    assert "administrator" in await page.run("document.getElementById('invite-title').textContent")
    await fill(page, handle="cleo", password="correct horse", again="correct horse")
    await page.wait("document.getElementById('code-error').textContent !== ''")
    assert await page.run("document.getElementById('done').hidden") is True


@needs_browser
async def test_a_reset_link_sets_a_new_password(served: Served, page: Page) -> None:
    await served.node.call("people.create", handle="cleo", password="the old password")
    await page.open((await served.node.call("people.reset_link", person="cleo"))["link"])
    assert await page.run("document.getElementById('invite-title').textContent") == "Set a new password"
    assert await page.run("document.activeElement.id") == "password"
    assert await page.run("document.getElementById('handle').offsetParent === null") is True

    await fill(page, password="correct horse", again="another horse")
    assert "not the same" in await page.run("document.getElementById('again-error').textContent")

    await fill(page, password="correct horse", again="correct horse")
    await page.wait("!document.getElementById('done').hidden")
    assert await page.run("document.getElementById('done-handle').textContent") == "cleo"
    assert "password is set" in await page.run("document.getElementById('done-text').textContent")
    assert await page.run("location.hash") == ""
    assert (await served.node.call("sessions.create", handle="cleo", password="correct horse"))["token"]
    assert page.problems == []


@needs_browser
async def test_it_fits_a_phone(served: Served, page: Page) -> None:
    await page.send(
        "Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=2, mobile=True
    )  # fmt: skip
    await page.open((await served.node.call("invites.create"))["link"])
    assert await page.run("document.documentElement.scrollWidth") <= 360
