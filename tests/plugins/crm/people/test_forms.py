"""Contacts of visitors without an account."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import Answer, User, configured, fetch, refused
from tests.plugins.crm.people.making import contact, count
from tests.plugins.sql import rows

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json", "Content-Type": "application/json"}


@pytest.fixture
def config() -> Config:
    return configured(plugins={"crm": {"form_least_seconds": 0, "form_posts_per_minute": 0}})


class Visitor:
    """Somebody with a browser and a form."""

    def __init__(self, url: str, form: dict[str, Any]) -> None:
        self.address = f"{url}/plugins/crm/forms/{form['form']}"
        self.token = ""

    async def opens(self) -> str:
        page = await fetch(self.address, headers=HTML)
        assert page.status == 200, page.text
        found = re.search(r'name="opened" value="([^"]+)"', page.text)
        assert found is not None
        self.token = found[1]
        return page.text

    async def sends(self, origin: str | None = None, **fields: str) -> Answer:
        body = urlencode({"opened": self.token, "consent": "1", **fields}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"} | ({"Origin": origin} if origin else {})
        return await fetch(self.address, method="POST", body=body, headers=headers)


@pytest.fixture
async def form(node: Node, mara: User) -> dict[str, Any]:
    await mara.call("crm.lists.create", name="Visitors")
    await mara.call("crm.tags.create", name="web")
    asked = {"fields": ["name", "company", "phone"], "required": ["name"], "list": "visitors", "tags": ["web"]}
    made = await mara.call("crm.forms.create", name="site", title="Talk to <us>", consent="I agree.", **asked)
    return made["form"]


@pytest.fixture
async def visitor(url: str, form: dict[str, Any]) -> Visitor:
    return Visitor(url, form)


async def test_a_visitor_becomes_a_contact(node: Node, visitor: Visitor) -> None:
    page = await visitor.opens()
    assert "Talk to &lt;us&gt;" in page
    assert "<script" not in page
    answer = await visitor.sends(
        email="Ada@Example.org", name="Ada de Lovelace", company="Engines", phone="+33612345678"
    )
    assert (answer.status, "Thank you" in answer.text) == (200, True)
    found = await rows(node, "SELECT email_key, first_name, last_name, company, phone_key, source FROM crm_contacts")
    assert found == [("ada@example.org", "Ada", "de Lovelace", "Engines", "+33612345678", "form")]
    assert await count(node, "SELECT count(*) FROM crm_members") == await count(
        node, "SELECT count(*) FROM crm_taggings"
    )
    consents = "SELECT t.text, c.version FROM crm_consents c JOIN crm_consent_texts t ON t.form = c.form"
    assert await rows(node, consents) == [("I agree.", 1)]


async def test_what_is_known_stays_and_only_what_is_empty_is_filled(node: Node, visitor: Visitor) -> None:
    await contact(node, "ada@example.org", first_name="Augusta", phone="+33698765432")
    await visitor.opens()
    sent = {"name": "Augusta Lovelace", "company": "Engines", "phone": "+33612345678"}
    known = await visitor.sends(email="ADA@example.org", **sent)
    new = await visitor.sends(email="eva@example.org", name="Eva")
    assert (known.status, known.text) == (new.status, new.text)  # nobody learns who is known
    found = "SELECT first_name, last_name, company, phone_key FROM crm_contacts WHERE email_key = 'ada@example.org'"
    assert await rows(node, found) == [("Augusta", "Lovelace", "Engines", "+33698765432")]


@pytest.mark.parametrize(
    ("first_name", "last_name"), [("Ada", None), (None, "Lovelace"), ("Ada", "Lovelace"), ("Bob", "Lovelace")]
)
async def test_a_contact_never_gets_half_of_another_name(
    node: Node, visitor: Visitor, first_name: str | None, last_name: str | None
) -> None:
    await contact(node, "ada@example.org", first_name=first_name, last_name=last_name)
    await visitor.opens()
    await visitor.sends(email="ada@example.org", name="Bob Smith")
    assert await rows(node, "SELECT first_name, last_name FROM crm_contacts") == [(first_name, last_name)]


async def test_bad_input_shows_the_form_again_with_what_was_sent(node: Node, visitor: Visitor) -> None:
    await visitor.opens()
    answer = await visitor.sends(email="no address", name="  ", company='"><script>alert(1)</script>', consent="")
    assert answer.status == 400
    for words in ("not a valid email", "fill in this field", "confirm this", "no address", "&lt;script&gt;"):
        assert words in answer.text
    assert "<script>" not in answer.text
    assert visitor.token in answer.text  # and it need not wait again
    assert await count(node, "SELECT count(*) FROM crm_contacts") == 0


async def test_programs_that_fill_in_everything_are_thanked_and_ignored(node: Node, visitor: Visitor) -> None:
    await visitor.opens()
    answer = await visitor.sends(email="spam@example.org", name="Spam", fax_number_2="1")
    assert (answer.status, "Thank you" in answer.text) == (200, True)
    assert await count(node, "SELECT count(*) FROM crm_contacts") == 0


async def test_a_form_that_was_not_opened_is_not_taken(node: Node, visitor: Visitor) -> None:
    for visitor.token in ("", "12.x", "999999999999999999999999.AAAA"):
        answer = await visitor.sends(email="ada@example.org", name="Ada")
        assert (answer.status, "open for too long" in answer.text) == (400, True)
    assert await count(node, "SELECT count(*) FROM crm_contacts") == 0


async def test_only_its_own_sites_may_send_it(
    node: Node, mara: User, form: dict[str, Any], visitor: Visitor, url: str
) -> None:
    await visitor.opens()
    sent = {"email": "ada@example.org", "name": "Ada"}
    assert (await visitor.sends("https://elsewhere.example", **sent)).status == 403
    assert (await visitor.sends("null", **sent)).status == 403
    assert (await visitor.sends(url, **sent)).status == 200
    await mara.call("crm.forms.update", form=form["form"], origins=["https://elsewhere.example"])
    answer = await visitor.sends("https://elsewhere.example", **sent)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://elsewhere.example"
    page = await fetch(visitor.address, headers=HTML)
    assert "frame-ancestors https://elsewhere.example" in page.headers["content-security-policy"]


async def test_a_site_with_a_form_of_its_own_sends_json(node: Node, visitor: Visitor) -> None:
    shown = json.loads((await fetch(visitor.address, headers=JSON)).body)
    assert shown["fields"] == ["email", "name", "company", "phone"]
    assert shown["consent"] == {"version": 1, "text": "I agree."}

    async def send(**fields: Any) -> Answer:
        body = json.dumps({"opened": shown["opened"], **fields}).encode()
        return await fetch(visitor.address, method="POST", body=body, headers=JSON)

    wrong = json.loads((await send(email="x", consent=True)).body)["error"]
    assert (wrong["code"], {*wrong["fields"]}) == ("invalid", {"email", "name"})
    right = await send(email="ada@example.org", name="Ada", consent=1)
    assert (right.status, json.loads(right.body)) == (200, {"ok": True})
    assert (await send(email=["ada@example.org"])).status == 400
    assert (await fetch(visitor.address, method="POST", body=b"[" * 5_000, headers=JSON)).status == 400
    assert await count(node, "SELECT count(*) FROM crm_contacts") == 1


async def test_a_text_that_has_changed_is_agreed_to_again(
    node: Node, mara: User, form: dict[str, Any], visitor: Visitor
) -> None:
    await visitor.opens()
    sent = {"email": "ada@example.org", "name": "Ada"}
    await visitor.sends(**sent)
    changed = (await mara.call("crm.forms.update", form=form["form"], consent="I agree to more."))["form"]
    assert changed["consent_version"] == 2
    answer = await visitor.sends(**sent)
    assert (answer.status, "I agree to more." in answer.text) == (400, True)
    assert " checked" not in answer.text  # nobody agrees by sending the form again
    answer = await visitor.sends(email="no address", name="Ada", consent="2")
    assert " checked" in answer.text
    for _ in range(2):
        await visitor.sends(**{**sent, "consent": "2"})
    assert [row[0] for row in await rows(node, "SELECT version FROM crm_consents ORDER BY key")] == [1, 2]


async def test_a_closed_or_deleted_form_is_not_there(
    node: Node, mara: User, form: dict[str, Any], visitor: Visitor
) -> None:
    await visitor.opens()
    await mara.call("crm.forms.update", form=form["form"], active=False)
    assert (await visitor.sends(email="ada@example.org", name="Ada")).status == 404
    await mara.call("crm.forms.update", form=form["form"], active=True)
    assert (await visitor.sends(email="ada@example.org", name="Ada")).status == 200
    assert (await mara.call("crm.forms.list"))["forms"][0]["posts"] == 1
    await mara.call("crm.forms.delete", form=form["form"])
    assert (await fetch(visitor.address, headers=HTML)).status == 404
    assert await count(node, "SELECT count(*) FROM crm_consent_texts") == 1  # somebody agreed to it


@pytest.mark.parametrize("stage", ["population", "execution"])
async def test_nobody_comes_to_a_campaign_that_has_begun(node: Node, url: str, mara: User, stage: str) -> None:
    await mara.call("crm.lists.create", name="Spring", kind="campaign")
    made = await mara.call("crm.forms.create", name="site", title="Us", list="Spring")
    await mara.call("crm.lists.add", list="Spring", contacts=[await contact(node, "first@example.org")])
    await mara.call("crm.lists.stage", list="Spring", stage=stage)
    visitor = Visitor(url, made["form"])
    await visitor.opens()
    assert (await visitor.sends(email="ada@example.org")).status == 200
    assert await count(node, "SELECT count(*) FROM crm_contacts") == 2
    assert await count(node, "SELECT members FROM crm_lists") == (2 if stage == "population" else 1)


async def test_who_may_make_forms(node: Node, mara: User, vic: User, kim: User) -> None:
    for who in (vic, kim):
        with refused("forbidden"):
            await who.call("crm.forms.create", name="site", title="Us")
    with refused("not_found", "list"):
        await mara.call("crm.forms.create", name="site", title="Us", list="none such")
    with refused("invalid", "required.0"):
        await mara.call("crm.forms.create", name="site", title="Us", required=["phone"])
    with refused("invalid", "fields"):
        await mara.call("crm.forms.create", name="site", title="Us", fields=["name", "first_name"])
    with refused("invalid", "origins.0"):
        await mara.call("crm.forms.create", name="site", title="Us", origins=["https://example.org/path"])


class TestLimits:
    @pytest.fixture
    def config(self) -> Config:
        return configured(plugins={"crm": {"form_least_seconds": 60, "form_posts_per_minute": 2}})

    async def test_quick_and_frequent_visitors(self, node: Node, visitor: Visitor) -> None:
        await visitor.opens()
        for status, words in ((400, "very quick"), (400, "very quick"), (429, "")):
            answer = await visitor.sends(email="ada@example.org", name="Ada")
            assert (answer.status, words in answer.text) == (status, True)
        assert await count(node, "SELECT count(*) FROM crm_contacts") == 0


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("kind", "body", "origin", "status"),
    [
        (FORM, b"email=a%40b.org&opened=" + b"1" * 5_000 + b".x", None, 400),
        (FORM, b"email=a%40b.org&email=c%40d.org", None, 400),
        (FORM, b"email=a%40b.org", "http://[", 403),
        (FORM, b"email=a%40b.org", "http://[::1", 403),
        ("application/json", b'{"\\ud800": 5}', None, 400),
        ("application/json", b'{"email": "\\udfff@b.org"}', None, 400),
        ("application/json", b"[" * 30_000, None, 400),
    ],
)
async def test_nothing_that_a_visitor_sends_is_an_error_of_the_node(
    visitor: Visitor, kind: str, body: bytes, origin: str | None, status: int
) -> None:
    headers = {"Content-Type": kind} | ({"Origin": origin} if origin else {})
    assert (await fetch(visitor.address, method="POST", body=body, headers=headers)).status == status
