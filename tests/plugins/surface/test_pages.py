"""Pages with forms: what is sent, by whom it may be sent, and what comes back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
from openapi_spec_validator import validate

from chatnode.api import CHAT, Page, PageContext, Permission, Refusal
from chatnode.config import Config, Limits
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.surface.making import made, node_with, states
from tests.transport.clients import Address, Http, Response, serving

FORM = "application/x-www-form-urlencoded"


async def render(ctx: PageContext, query: Mapping[str, str]) -> str:
    value, error = ctx.sent.get("note", ""), ctx.errors.get("note", "")
    return (
        f'<p>{query.get("of", "")}</p><form method="post">{ctx.form_token}'
        f'<input id="note" name="note" value="{escape(value)}"><p class="error">{escape(error)}</p>'
        f'<button>Add</button></form><a href="{escape(ctx.url("notes/all?a=1&b=2"))}">All</a>'
        f'<a href="{ctx.url("/plugins")}">Plugins</a>'
    )


class Pages:
    """A plugin that keeps notes in memory, and what its page was sent."""

    def __init__(self, name: str = "demo", **page: Any) -> None:
        self.notes: list[tuple[str, Mapping[str, str], Mapping[str, str]]] = []
        terms: dict[str, Any] = {"render": render, "permission": "demo.write", "submit": self.submit}
        self.page = Page("notes/<of>", "Notes <1>", **terms | page)
        permissions = (Permission(f"{name}.write", "write notes"),)
        self.plugin = made(name, permissions=permissions, pages=(self.page, Page("", "Start", render, CHAT)))

    async def submit(
        self, ctx: PageContext, query: Mapping[str, str], sent: Mapping[str, str]
    ) -> str | Mapping[str, str]:
        match sent["note"]:
            case "":
                return {"note": "write something <here>"}
            case "rude":
                raise Refusal("conflict", "be nice", path="note")
            case "full":
                raise Refusal("too_large", "there are <too many> notes")
            case "home":
                return "/"
            case "away":
                return "//evil.example/\r\nSet-Cookie: a=1"
            case "broken":
                raise ValueError("a fault of the plugin's")
            case _:
                pass
        self.notes.append((ctx.me.handle, query, sent))
        return f"notes/{query['of']}?added=1"


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
async def node(tmp_path: Path, pages: Pages) -> AsyncIterator[Node]:
    async with node_with(tmp_path, pages.plugin) as node:
        yield node


@pytest.fixture
async def address(node: Node) -> AsyncIterator[Address]:
    async with serving(node) as address:
        yield address


def text(response: Response) -> str:
    return response.body.decode()


class Browser:
    """What a browser does with a page and its forms, with the cookie of a session."""

    def __init__(self, address: Address, token: str) -> None:
        self.address = address
        self.cookie = {"Cookie": f"chatnode_session={token}"}

    @classmethod
    async def of(cls, node: Node, address: Address, handle: str) -> Browser:
        person = await User.new(node, handle)
        return cls(address, (await person.call("tokens.create"))["token"])

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Response:
        async with await Http.open(self.address) as http:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            return await http.request(method, path, body, self.cookie | sent)

    async def open(self, path: str = "/plugins/demo/notes/monday") -> Response:
        return await self.ask("GET", path)

    async def token(self, path: str = "/plugins/demo/notes/monday") -> str:
        """The one that the page has for its form."""
        (found,) = re.findall(r'<input type="hidden" name="form_token" value="(\w+)">', text(await self.open(path)))
        return found

    async def send(
        self, fields: Mapping[str, str], path: str = "/plugins/demo/notes/monday", **headers: str
    ) -> Response:
        terms = {"Content_Type": FORM, "Origin": "http://localhost"} | headers
        return await self.ask("POST", path, urlencode(fields).encode(), **terms)


async def test_a_form_is_taken_and_the_browser_sent_on(node: Node, address: Address, pages: Pages) -> None:
    ann = await Browser.of(node, address, "ann")
    got = await ann.send({"form_token": await ann.token(), "note": "buy 🍞 & butter"})
    assert (got.status, got.body) == (303, b"")
    target = urljoin("https://example.org/chat/plugins/demo/notes/monday", got.headers["location"])
    assert target == "https://example.org/chat/plugins/demo/notes/monday?added=1"  # below a proxy's path, too
    assert pages.notes == [("ann", {"of": "monday"}, {"note": "buy 🍞 & butter"})]


async def test_links_hold_wherever_a_proxy_serves_the_node(node: Node, address: Address) -> None:
    ann = await Browser.of(node, address, "ann")
    page = await ann.open()
    links = [urljoin("https://example.org/chat/plugins/demo/notes/monday", unescape(link)) for link in
             re.findall(r'<a href="([^"]*)">(?:All|Plugins)<', text(page))]  # fmt: skip
    assert links == ["https://example.org/chat/plugins/demo/notes/all?a=1&b=2", "https://example.org/chat/plugins"]


async def test_what_is_wrong_stands_at_the_field_beside_what_was_sent(
    node: Node, address: Address, pages: Pages
) -> None:
    ann = await Browser.of(node, address, "ann")
    token = await ann.token()
    empty = await ann.send({"form_token": token, "note": ""})
    assert (empty.status, '<p class="error">write something &lt;here&gt;</p>' in text(empty)) == (400, True)
    rude = await ann.send({"form_token": token, "note": "rude"})
    assert (rude.status, 'value="rude"' in text(rude)) == (409, True)
    assert '<p class="error">be nice</p>' in text(rude)
    full = await ann.send({"form_token": token, "note": "full"})
    assert full.status == 413
    assert '<p class="error" role="alert">there are &lt;too many&gt; notes.</p>' in text(full)
    assert token in text(full)  # it can be sent again
    assert pages.notes == []


async def test_only_a_page_with_forms_may_send_forms(node: Node, address: Address) -> None:
    ann = await Browser.of(node, address, "ann")
    with_form, without = await ann.open(), await ann.open("/plugins/demo/")
    assert "form-action 'self'" in with_form.headers["content-security-policy"]
    assert with_form.headers["referrer-policy"] == "same-origin"
    assert "form-action 'none'" in without.headers["content-security-policy"]
    assert without.headers["referrer-policy"] == "no-referrer"
    assert (await ann.send({}, "/plugins/demo/")).status == 405


# ---- forgery


async def refused_plainly(got: Response, pages: Pages) -> bool:
    """A page that says what to do, and nothing happened."""
    assert pages.notes == []
    return (
        got.status == 403
        and got.headers["content-type"].startswith("text/html")
        and "nothing was changed. Open the page again, and send the form from there." in text(got)
        and '<a href="../../../plugins/demo/notes/monday">Open the page again</a>' in text(got)
    )


async def test_a_form_without_its_token_changes_nothing(node: Node, address: Address, pages: Pages) -> None:
    ann = await Browser.of(node, address, "ann")
    assert await refused_plainly(await ann.send({"note": "forged"}), pages)
    for token in ("", "0" * 64, "é", "\0", "x" * 100_000):
        assert await refused_plainly(await ann.send({"note": "forged", "form_token": token}), pages)


async def test_a_token_is_good_for_its_session_and_plugin_only(tmp_path: Path) -> None:
    pages, other = Pages(), Pages("other", permission=CHAT)
    async with node_with(tmp_path, pages.plugin, other.plugin) as node, serving(node) as address:
        ann, bob = await Browser.of(node, address, "ann"), await Browser.of(node, address, "bob")
        second = Browser(address, (await node.call("tokens.create", person="ann"))["token"])
        for token in (
            await bob.token(), await second.token(), await ann.token("/plugins/other/notes/monday"),
        ):  # fmt: skip
            assert await refused_plainly(await ann.send({"form_token": token, "note": "forged"}), pages)
        assert (await ann.send({"form_token": await ann.token(), "note": "mine"})).status == 303


async def test_a_token_outlives_a_restart(tmp_path: Path) -> None:
    pages = Pages()
    async with node_with(tmp_path, pages.plugin) as node, serving(node) as address:
        ann = await Browser.of(node, address, "ann")
        token = await ann.token()
    async with node_with(tmp_path, pages.plugin) as node, serving(node) as address:
        ann.address = address
        assert (await ann.send({"form_token": token, "note": "late"})).status == 303


async def test_another_site_cannot_send_a_form_even_with_the_token(node: Node, address: Address, pages: Pages) -> None:
    ann = await Browser.of(node, address, "ann")
    fields = {"form_token": await ann.token(), "note": "forged"}
    for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
        assert (await ann.send(fields, Origin=origin)).status == 401
    assert pages.notes == []
    assert (await ann.send(fields, Origin="")).status == 303  # not every browser says where a form comes from


async def test_a_form_needs_the_permission_and_not_only_its_reading_scope(
    node: Node, address: Address, pages: Pages
) -> None:
    await User.new(node, "ann")
    made = await node.call("tokens.create", person="ann", scopes=["demo.write:read"])
    ann = Browser(address, made["token"])
    got = await ann.send({"form_token": await ann.token(), "note": "forged"})
    assert (got.status, "does not have the scope demo.write" in text(got)) == (403, True)
    nobody = Browser(address, "nobody")
    assert (await nobody.send({"note": "forged"})).status == 401
    assert pages.notes == []


# ---- what is sent badly


NO_FORMS = (
    (b"note=%ff", FORM, "not UTF-8"),
    ("note=é".encode(), FORM, "not UTF-8"),
    (b"note=a&note=b", FORM, "the field note more than once"),
    (b"&".join(b"f%d=" % number for number in range(1_100)), FORM, "more than 1000 fields"),
    (b'{"note": "a"}', "application/json", "accepts forms as"),
    (b"--x", "multipart/form-data; boundary=x", "accepts forms as"),
    (b"", "", "accepts forms as"),
)


async def test_what_is_no_form_is_refused_with_the_reason(node: Node, address: Address, pages: Pages) -> None:
    ann = await Browser.of(node, address, "ann")
    for body, kind, said in NO_FORMS:
        got = await ann.ask("POST", "/plugins/demo/notes/monday", body, Content_Type=kind)
        assert (got.status, said in text(got)) == (400, True), body[:20]
    assert pages.notes == []


async def test_a_form_leads_to_the_node_and_nowhere_else(node: Node, address: Address) -> None:
    ann = await Browser.of(node, address, "ann")
    token = await ann.token()
    page = "http://node/plugins/demo/notes/monday"
    home = await ann.send({"form_token": token, "note": "home"})
    assert urljoin(page, home.headers["location"]) == "http://node/"
    away = await ann.send({"form_token": token, "note": "away"})
    assert away.status == 303
    assert urljoin(page, away.headers["location"]).startswith("http://node/evil.example/")
    assert "set-cookie" not in away.headers


async def test_what_submit_raises_ends_only_its_request(node: Node, address: Address) -> None:
    ann = await Browser.of(node, address, "ann")
    token = await ann.token()
    broken = await ann.send({"form_token": token, "note": "broken"})
    assert (broken.status, "fault of the plugin" in text(broken)) == (500, False)
    assert (await ann.send({"form_token": token, "note": "again"})).status == 303


async def test_forged_forms_count_against_the_rate_of_requests(tmp_path: Path) -> None:
    config = Config(limits=Limits(requests_per_minute=3))
    async with node_with(tmp_path, Pages().plugin, config=config) as node, serving(node) as address:
        ann = await Browser.of(node, address, "ann")
        assert [(await ann.send({"note": "forged"})).status for _ in range(3)] == [403, 403, 429]


async def test_a_form_is_in_the_document(node: Node, address: Address) -> None:
    async with await Http.open(address) as http:
        document = (await http.request("GET", "/v1/openapi.json")).json
    validate(document)
    operations = document["paths"]["/plugins/demo/notes/{of}"]
    assert set(operations) == {"get", "post"}
    assert FORM in operations["post"]["requestBody"]["content"]
    assert set(document["paths"]["/plugins/demo/"]) == {"get"}


async def test_submit_must_be_async(tmp_path: Path) -> None:
    def submit(ctx: PageContext, query: Mapping[str, str], sent: Mapping[str, str]) -> str:
        return ""

    async with node_with(tmp_path, Pages(submit=submit).plugin) as node:
        assert states(node) == {"demo": "`submit` of the page 'notes/<of>' must be async def, not def"}
