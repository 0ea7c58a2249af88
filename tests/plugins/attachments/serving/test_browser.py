"""Hostile files in a real browser: whatever they are embedded as, nothing of them runs.

The page that embeds them is more permissive than any of the node's, so that only the files' own responses protect. Each
file tries to run script and to reach `hit`; the same bytes, served as their author would like, are the control.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import attrs
import chatnode_attachments
import pytest
import trio

from chatnode.api import Context, Request, Response, Route
from chatnode.config import Config
from chatnode.node import open_node
from tests.plugins.surface.making import made
from tests.transport.clients import serving, wait_for
from tests.web.browser import Page, browser

from .fetching import Reader
from .storing import Storing

pytestmark = pytest.mark.slow

_RUN = "fetch('/plugins/host/hit/{0}');new Image().src='/plugins/host/hit/{0}';document.title='ran'"
_ALL = "default-src * data: blob: 'unsafe-inline' 'unsafe-eval'"


def html(name: str) -> bytes:
    return (
        f"<!doctype html><title>x</title><script>{_RUN.format(name)}</script>"
        f'<img src=x onerror="{_RUN.format(name)}"><link rel=stylesheet href=/plugins/host/hit/{name}>'
        f"<iframe src=/plugins/host/hit/{name}></iframe>"
        f"<meta http-equiv=refresh content='0;url=/plugins/host/hit/{name}'>"
    ).encode()


def svg(name: str) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10" onload="{_RUN.format(name)}">'
        f"<script>{_RUN.format(name)}</script><image href='/plugins/host/hit/{name}' width='9' height='9'/>"
        "<rect width='10' height='10'/></svg>"
    ).encode()


def xml(name: str) -> bytes:
    return (
        '<?xml version="1.0"?><?xml-stylesheet href="/plugins/host/hit/' + name + '" type="text/xsl"?>'
        f'<x xmlns:h="http://www.w3.org/1999/xhtml"><h:script>{_RUN.format(name)}</h:script></x>'
    ).encode()


def script(name: str) -> bytes:
    return _RUN.format(name).encode()


def gif_script(name: str) -> bytes:
    """A GIF whose first bytes are also a statement: its size hides `=` and a comment until the script."""
    width = struct.unpack("<H", b"/*")[0]
    picture = b"\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    return (
        b"GIF89a"
        + struct.pack("<HH", width, 1)
        + b"\x80\0\0\0\0\0\xff\xff\xff"
        + picture
        + (b"\x3b*/=1;" + script(name) + b"//")
    )


def png_html(name: str) -> bytes:
    """A PNG with a page in a comment."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    body = chunk(b"tEXt", b"Comment\0" + html(name)) + chunk(b"IDAT", zlib.compress(b"\0\0\0\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + body


def pdf(name: str) -> bytes:
    return (
        b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/URI/URI(/plugins/host/hit/"
        + name.encode()
        + b")>>>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    )


@attrs.frozen
class Hostile:
    """`type` is what its author wishes; `stored` is what the store says of it, with whether it was decoded."""

    name: str
    content: bytes
    type: str
    stored: str
    derive: str = "none"

    @property
    def is_picture(self) -> bool:
        return self.derive == "done"


HOSTILE = [
    Hostile("page.html", html("page"), "text/html", "text/html"),
    Hostile("page.xhtml", xml("xhtml"), "application/xhtml+xml", "application/xml"),
    Hostile("drawing.svg", svg("svg"), "image/svg+xml", "image/svg+xml"),
    Hostile("data.xml", xml("xml"), "text/xml", "application/xml"),
    Hostile("code.js", script("js"), "text/javascript", "text/plain"),
    Hostile("cat.gif", gif_script("gif"), "text/javascript", "image/gif", "done"),
    Hostile("cat.png", png_html("png"), "text/html", "image/png", "done"),
    Hostile("letter.pdf", pdf("pdf"), "application/pdf", "application/pdf"),
]  # fmt: skip
WAYS = {
    "img": "<img id=it src='{0}'>",
    "iframe": "<iframe id=it src='{0}'></iframe>",
    "script": "<script src='{0}'></script>",
    "module": "<script type=module src='{0}'></script>",
    "object": "<object data='{0}'></object>",
    "embed": "<embed src='{0}'>",
    "style": "<link rel=stylesheet href='{0}'>",
    "video": "<video src='{0}'></video>",
    "import": "<script>import('{0}').catch(()=>{{}})</script>",
    "worker": "<script>try{{new Worker('{0}')}}catch(e){{}}</script>",
    "serviceworker": "<script>navigator.serviceWorker.register('{0}').catch(()=>{{}})</script>",
}


@attrs.define
class Host:
    """A browser, signed in, and a node. `hits` are the addresses that a file reached."""

    page: Page
    url: str
    storing: Storing
    ann: Reader
    hits: list[str]

    async def open(self, target: str) -> None:
        """Open an address itself."""
        await self.page.send("Page.navigate", url=self.url + target)
        await self.settle()

    async def embed(self, markup: str) -> None:
        """Open the permissive page with this in it."""
        await self.page.open(f"{self.url}/plugins/host/page?in={quote(markup)}")
        await self.settle()

    async def settle(self) -> None:
        """Give what was opened the time to do what it must not, a refresh after no time among it."""
        await trio.sleep(0.5)


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    hits: list[str] = []
    wished = {each.name: each for each in HOSTILE}

    async def show(ctx: Context, request: Request) -> Response:
        policy = {"Content-Security-Policy": _ALL}
        return Response(f"<!doctype html><title>host</title>{request.query['in']}", 200, "text/html", policy)

    async def hit(ctx: Context, request: Request) -> Response:
        hits.append(request.path["name"])
        return Response("")

    async def as_wished(ctx: Context, request: Request) -> Response:
        each = wished[request.path["name"]]
        return Response(each.content, 200, each.type, {"Content-Security-Policy": _ALL, "X-Content-Type-Options": ""})

    routes = (Route("page", show, None), Route("hit/<name>", hit, None), Route("wished/<name>", as_wished, None))
    plugins = [chatnode_attachments, made("host", routes=routes)]
    async with open_node(tmp_path / "data", Config(), only=plugins) as node, serving(node) as address:
        url = f"http://{address[0]}:{address[1]}"
        ann = await Reader.at(address, node, "ann")
        async with browser(tmp_path / "profile") as page:
            await page.send("Browser.setDownloadBehavior", behavior="deny")
            await page.send("Network.enable")
            token = ann.bearer["Authorization"].removeprefix("Bearer ")
            await page.send("Network.setCookie", name="chatnode_session", value=token, url=url)
            yield Host(page, url, Storing(node), ann, hits)


@pytest.mark.parametrize("each", HOSTILE, ids=lambda each: each.name)
async def test_nothing_of_a_file_runs(host: Host, each: Hostile) -> None:
    stored = await host.storing.file(host.ann, each.content, name=each.name, type=each.stored, derive=each.derive)
    link = (await host.ann.asks("attachments.link", file=stored.id))["link"]
    for target in (stored.target, f"{stored.target}?download=1", link):
        await host.embed("".join(markup.format(target) for markup in WAYS.values()))
        assert await host.page.run("document.title") == "host"
        await host.open(target)
        assert host.hits == []


@pytest.mark.parametrize("each", [each for each in HOSTILE if each.name != "letter.pdf"], ids=lambda each: each.name)
async def test_the_same_bytes_run_without_protection(host: Host, each: Hostile) -> None:
    target = f"/plugins/host/wished/{each.name}"
    await host.open(target)
    if each.type == "text/javascript":
        await host.embed(WAYS["script"].format(target))
    await wait_for(lambda: host.hits, within=30)


async def test_pictures_are_shown_and_drawings_are_not(host: Host) -> None:
    for each in HOSTILE:
        stored = await host.storing.file(host.ann, each.content, name=each.name, type=each.stored, derive=each.derive)
        await host.embed(WAYS["img"].format(stored.target))
        shown = await host.page.run("document.getElementById('it').naturalWidth > 0")
        assert shown == each.is_picture, each.name


async def test_the_nodes_own_page_shows_pictures_without_a_complaint(host: Host) -> None:
    each = next(each for each in HOSTILE if each.name == "cat.png")
    stored = await host.storing.file(host.ann, each.content, name=each.name, type=each.stored, derive=each.derive)
    await host.page.open(host.url + "/")
    host.page.problems.clear()
    await host.page.run(f"new Promise(done => {{ const i = new Image(); i.onload = i.onerror = done; i.id = 'it'; "
                        f"i.src = '{stored.target}'; document.body.append(i); }})")  # fmt: skip
    assert await host.page.run("document.getElementById('it').naturalWidth") == 1
    assert host.page.problems == []
    await host.page.open(host.url + stored.target)
    assert await host.page.run("document.images[0].naturalWidth") == 1
    assert host.page.problems == []
