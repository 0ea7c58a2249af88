"""The page at `/`: as it is served, and in a real browser where there is one."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import h11
import pytest
import trio

from chatnode.api import CHAT
from chatnode.api import Page as PluginPage
from chatnode.node import Node, open_node
from tests.plugins.surface.making import made, node_with
from tests.services.dialogue import PASSWORD, with_password

from .browser import Page, browser


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
    scripts = [(f"/{name}.js", "text/javascript") for name in ("page", "session", "common")]
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), *scripts):
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
    fields = re.findall(r'<input id="([\w-]+)"', html)
    assert fields == ["handle", "name", "password", "again", "sign-in-handle", "sign-in-password"]
    for field in fields:
        assert f'<label for="{field}">' in html
        assert f'id="{field}-error" class="error" role="alert"' in html
        assert re.search(rf'<input id="{field}"[^>]*aria-describedby="[^"]*{field}-error"', html)


async def test_password_managers_know_what_the_fields_are(served: Served) -> None:
    _, _, html = await served.get("/")
    found = dict(re.findall(r'<input id="([\w-]+)"[^>]*autocomplete="([\w-]+)"', html))
    assert found == {
        "handle": "username", "name": "name", "password": "new-password", "again": "new-password",
        "sign-in-handle": "username", "sign-in-password": "current-password",
    }  # fmt: skip


async def test_a_form_that_no_script_takes_sends_nothing_in_an_address(served: Served) -> None:
    _, headers, html = await served.get("/")
    assert "form-action 'none'" in headers["content-security-policy"]
    assert [form for form in re.findall(r"<form[^>]*>", html) if 'method="post"' not in form] == []


# ---- in a browser


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with browser(tmp_path / "profile") as opened:
        yield opened


async def fill(page: Page, **values: str) -> None:
    for field, value in values.items():
        await page.run(f"document.getElementById({field!r}).value = {value!r}")
    await page.run("document.getElementById('submit').click()")


@pytest.mark.slow
async def test_it_shows_that_the_node_lives(served: Served, page: Page) -> None:
    await page.open(served.url)
    await page.wait("document.getElementById('state').textContent === 'OK'")
    assert await page.run("document.getElementById('live').textContent") == "0"
    assert re.match(r"\d+\.\d+", await page.run("document.getElementById('version').textContent"))
    assert (
        await page.run("document.getElementById('connect-command').textContent") == f"chatnode chat --url {served.url}"
    )
    assert await page.run("document.getElementById('invite').hidden") is True
    assert await page.run("document.getElementById('needs-setup').hidden") is False
    assert page.problems == []


@pytest.mark.slow
async def test_an_invite_link_makes_an_account(served: Served, page: Page) -> None:
    link = (await served.node.call("invites.create"))["link"]
    await page.open(link)
    assert await page.run("document.activeElement.id") == "handle"

    await fill(page, handle="cleo", password="correct horse", again="another horse")
    assert "do not match" in await page.run("document.getElementById('again-error').textContent")

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


@pytest.mark.slow
async def test_a_used_link_says_so(served: Served, page: Page) -> None:
    link = (await served.node.call("setup.create"))["link"]
    await served.node.call("people.create", handle="root", admin=True)
    await page.open(link)
    assert "administrator" in await page.run("document.getElementById('invite-title').textContent")
    await fill(page, handle="cleo", password="correct horse", again="correct horse")
    await page.wait("document.getElementById('code-error').textContent !== ''")
    assert await page.run("document.getElementById('done').hidden") is True


@pytest.mark.slow
async def test_a_reset_link_sets_a_new_password(served: Served, page: Page) -> None:
    await served.node.call("people.create", handle="cleo", password="the old password")
    await page.open((await served.node.call("people.reset_link", person="cleo"))["link"])
    assert await page.run("document.getElementById('invite-title').textContent") == "Set a new password"
    assert await page.run("document.activeElement.id") == "password"
    assert await page.run("document.getElementById('handle').offsetParent === null") is True

    await fill(page, password="correct horse", again="another horse")
    assert "do not match" in await page.run("document.getElementById('again-error').textContent")

    await fill(page, password="correct horse", again="correct horse")
    await page.wait("!document.getElementById('done').hidden")
    assert await page.run("document.getElementById('done-handle').textContent") == "cleo"
    assert "password is set" in await page.run("document.getElementById('done-text').textContent")
    assert await page.run("location.hash") == ""
    assert (await served.node.call("sessions.create", handle="cleo", password="correct horse"))["token"]
    assert page.problems == []


# ---- signing in


async def totals(ctx: Any, query: Mapping[str, str]) -> str:
    return f"<p id='totals'>these are the totals of {escape(query.get('of', 'all'))}</p>"


@pytest.fixture
async def with_pages(tmp_path: Path) -> AsyncIterator[Served]:
    """A node with ann, and a plugin that has a page."""
    plugin = made("polls", pages=(PluginPage("totals", "Totals", totals, CHAT),))
    async with node_with(tmp_path, plugin) as node, trio.open_nursery() as nursery:
        await with_password(node, "ann")
        yield Served(node, await nursery.start(node.serve, "127.0.0.1:0"))
        nursery.cancel_scope.cancel()


async def text(page: Page, id: str) -> str:
    """What is to be read at an element; empty when it is hidden."""
    return await page.run(
        f"document.getElementById({id!r}).checkVisibility() ? document.getElementById({id!r}).innerText : ''"
    )


async def sign_in(page: Page, handle: str, password: str) -> None:
    await page.wait("document.getElementById('sign-in-form').checkVisibility()")
    for field, value in (("handle", handle), ("password", password)):
        await page.run(f"document.getElementById('sign-in-{field}').value = {value!r}")
    await page.run("document.getElementById('sign-in-submit').click()")


@pytest.mark.slow
async def test_somebody_signs_in_and_out(with_pages: Served, page: Page) -> None:
    await page.open(with_pages.url)
    await sign_in(page, "", "")
    assert await text(page, "sign-in-handle-error") == "Enter your handle."
    assert await text(page, "sign-in-password-error") == "Enter your password."
    assert await page.run("document.activeElement.id") == "sign-in-handle"

    await sign_in(page, "ann", "wrong")
    await page.wait("document.getElementById('sign-in-password-error').innerText.startsWith('Wrong')")
    assert await text(page, "sign-in-handle-error") == ""
    assert await page.run("document.activeElement.id") == "sign-in-password"
    assert await page.run("document.getElementById('sign-in-password').getAttribute('aria-invalid')") == "true"

    await sign_in(page, " ann ", PASSWORD)
    await page.wait("document.getElementById('signed-in').checkVisibility()")
    assert await text(page, "signed-in-title") == "Signed in as ann"
    assert await text(page, "sign-in-form") == ""
    assert await page.run("document.getElementById('sign-in-password').value") == ""
    assert await page.run("document.activeElement.id") == "signed-in-title"
    assert await page.run("document.cookie") == ""  # no script can read it
    assert await page.run("document.querySelector('#pages a').href") == f"{with_pages.url}/plugins/polls/totals"

    await page.open(with_pages.url)
    await page.wait("document.getElementById('signed-in').checkVisibility()")
    cookies = (await page.send("Network.getCookies"))["cookies"]
    await page.run("document.getElementById('sign-out').click()")
    await page.wait("document.getElementById('sign-in-form').checkVisibility()")
    assert await text(page, "sign-in-status") == "You are signed out."
    assert len(cookies) == 1
    assert (await page.send("Network.getCookies"))["cookies"] == []
    assert (await with_pages.node.call("people.sessions", person="ann"))["sessions"] == []
    assert page.problems == []


@pytest.mark.slow
async def test_a_reader_who_signs_in_gets_back_to_the_page_they_came_from(with_pages: Served, page: Page) -> None:
    wanted = f"{with_pages.url}/plugins/polls/totals?of=a+b%26c"
    await page.open(wanted)
    assert await page.run("document.getElementById('totals') === null")
    await page.run("[...document.links].find((each) => each.textContent === 'Sign in').click()")
    await page.wait("document.activeElement?.id === 'sign-in-handle'")
    await sign_in(page, "ann", PASSWORD)
    await page.wait("document.getElementById('totals') !== null")
    assert await page.run("location.href") == wanted
    assert "totals of a b&c" in await page.run("document.body.innerText")


@pytest.mark.slow
async def test_nobody_is_led_away_from_the_node(with_pages: Served, page: Page) -> None:
    await page.open(with_pages.url)
    await sign_in(page, "ann", PASSWORD)
    await page.wait("document.getElementById('signed-in').checkVisibility()")
    for target in (
        "https://evil.example/plugins/x", "//evil.example/plugins", "/\\\\evil.example/plugins", "javascript:alert(1)",
        "data:text/html,plugins/", "plugins/../v1/people.me", "plugins/..//evil.example", "pluginsx", "v1/people.me",
        "", "http://", "plugins%2F..%2Fpage.css", "http://user@evil.example/plugins/polls/totals",
    ):  # fmt: skip
        await page.open(f"{with_pages.url}/?{quote(target, safe='')}#next={quote(target, safe='')}")
        await page.wait("document.getElementById('signed-in').checkVisibility()")
        assert (await page.run("location.href")).startswith(f"{with_pages.url}/?"), target
    await page.open(f"{with_pages.url}/?x#next=plugins/polls/totals%23x")
    await page.wait("document.getElementById('totals') !== null")


@pytest.mark.slow
async def test_a_browser_that_keeps_no_cookie_is_told(with_pages: Served, page: Page) -> None:
    """As one does that opens the page without TLS where the node is reached with it."""
    with_pages.node.core.base_url = "https://chat.test"
    await page.open(with_pages.url.replace("127.0.0.1", "chat.test"))
    await sign_in(page, "ann", PASSWORD)
    await page.wait("document.getElementById('sign-in-error').innerText.includes('did not keep the sign-in')")
    assert await text(page, "signed-in") == ""


@pytest.mark.slow
async def test_who_signs_up_is_signed_in(with_pages: Served, page: Page) -> None:
    await page.open((await with_pages.node.call("invites.create"))["link"])
    await page.wait("document.getElementById('state').textContent === 'OK'")
    assert await text(page, "sign-in-form") == ""  # one form at a time
    await fill(page, handle="cleo", password="correct horse", again="correct horse")
    await page.wait("document.getElementById('signed-in').checkVisibility()")
    assert await text(page, "signed-in-title") == "Signed in as cleo"
    assert await page.run("document.activeElement.id") == "done-title"


@pytest.mark.slow
async def test_who_set_a_new_password_signs_in_with_it(with_pages: Served, page: Page) -> None:
    await page.open((await with_pages.node.call("people.reset_link", person="ann"))["link"])
    await fill(page, password="another horse", again="another horse")
    await page.wait("document.getElementById('sign-in-form').checkVisibility()")
    assert await page.run("document.getElementById('sign-in-handle').value") == "ann"
    await sign_in(page, "ann", "another horse")
    await page.wait("document.getElementById('signed-in').checkVisibility()")


@pytest.mark.slow
async def test_it_fits_a_phone(served: Served, page: Page) -> None:
    await page.send(
        "Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=2, mobile=True
    )  # fmt: skip
    await page.open((await served.node.call("invites.create"))["link"])
    assert await page.run("document.documentElement.scrollWidth") <= 360
