"""Forms of plugins' pages in a real browser, which decides what it sends with one, and what a policy forbids."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from html import escape
from pathlib import Path

import pytest

from chatnode.api import CHAT, PageContext
from chatnode.api import Page as PluginPage
from chatnode.testing import User
from tests.plugins.surface.making import made, node_with
from tests.transport.clients import serving

from .browser import Page, browser


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with browser(tmp_path / "profile") as opened:
        yield opened


@pytest.mark.slow
async def test_a_user_sends_a_form_is_told_what_is_wrong_and_sent_on(tmp_path: Path, page: Page) -> None:
    notes: list[str] = []

    async def render(ctx: PageContext, query: Mapping[str, str]) -> str:
        items = "".join(f"<li>{escape(note)}</li>" for note in notes)
        return (
            f'<ul id="notes">{items}</ul><form method="post">{ctx.form_token}<label for="note">Note</label>'
            f'<input id="note" name="note" value="{escape(ctx.sent.get("note", ""))}">'
            f'<p class="error" id="note-error">{escape(ctx.errors.get("note", ""))}</p>'
            '<button id="add">Add</button></form>'
        )

    async def submit(ctx: PageContext, query: Mapping[str, str], sent: Mapping[str, str]) -> str | Mapping[str, str]:
        if len(sent["note"]) < 3:
            return {"note": "too short"}
        notes.append(sent["note"])
        return "notes?added=1"

    async def send(note: str) -> None:
        await page.run(f"document.getElementById('note').value = {note!r}")
        await page.run("document.getElementById('add').click()")

    plugin = made("demo", pages=(PluginPage("notes", "Notes", render, CHAT, submit),))
    async with node_with(tmp_path, plugin) as node, serving(node) as (host, port):
        url = f"http://{host}:{port}"
        token = (await (await User.new(node, "ann")).call("tokens.create"))["token"]
        await page.send("Network.setCookie", name="chatnode_session", value=token, url=url)
        await page.open(f"{url}/plugins/demo/notes")

        await send("é<")
        await page.wait("document.getElementById('note-error')?.textContent === 'too short'")
        assert await page.run("document.getElementById('note').value") == "é<"
        await send("é<b>utter")
        await page.wait("location.search === '?added=1' && document.readyState === 'complete'")
        assert await page.run("document.getElementById('notes').textContent") == "é<b>utter"
        assert notes == ["é<b>utter"]

        # The other sessions of the same browser, after signing in again: the form that is open is an old one.
        other = (await node.call("tokens.create", person="ann"))["token"]
        await page.send("Network.setCookie", name="chatnode_session", value=other, url=url)
        await send("forged")
        await page.wait("document.body?.textContent.includes('nothing was changed')")
        assert notes == ["é<b>utter"]
        await page.run("document.querySelector('main a').click()")
        await page.wait("document.getElementById('add') !== null")
        await send("once more")
        await page.wait("document.getElementById('notes')?.textContent.includes('once more')")
        assert page.problems == []
