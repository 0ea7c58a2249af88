"""What was exported changes nothing when it is imported: whole contacts, through the commands of users."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import chatnode_crm
import orjson
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.api import Reader
from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import run_work
from tests.plugins.crm.exports.making import path_of
from tests.plugins.crm.imports.importing import finished
from tests.quick import examples

FORMATS = [("csv", "comma"), ("csv", "semicolon"), ("csv", "tab"), ("xlsx", "comma"), ("vcard3", "comma"),
    ("vcard4", "comma")]  # fmt: skip
FIELDS = {
    "Shoe-size": ("number", st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e6, 1e6)),
    "Notes": ("text", None),
    "Größe": ("text", None),
    "日本": ("text", None),
    "Unsubscribed": ("flag", st.booleans()),
    "contact_email": ("text", None),
    "Birthday": ("date", st.dates().map(str)),
    "Plan": ("choice", st.sampled_from(["Free", "=Gold;Plus", "1,5"])),
}
TRICKY = st.sampled_from([
    "=1+1", "'=x", "+49 30 1234", "-5", "@me", "a;b", "a:::b", "* group", "*", '5" pipes', '"', "x, y", "\\n", "007",
    "1e5", "true",
    "2026-01-02", "né", "日本", "👩‍👩‍👧", "null", "a|b", "^n^'", "O'Neil", "tel:1", "mailto:x", "#N/A", "_x000D_",
])  # fmt: skip
LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"])
LINE = (TRICKY | st.text(LETTERS, min_size=1, max_size=12)).filter(lambda text: text.strip())
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
LINES = st.builds(str.join, LINE_ENDS, st.lists(LINE | st.just(""), min_size=1, max_size=4))
PHONE = st.sampled_from(
    ["+33612345678", "+49 30 123456 ext. 7", "0171 2345678", "12345678.0", "call me", "(555) 010-9999"]
)


def contact(number: int) -> st.SearchStrategy[dict[str, Any]]:
    """What users give."""
    external_id = LINE.map(lambda text: f"{text}{number}")
    email = st.just(f"user{number}@example.com")
    return st.fixed_dictionaries(
        {"email": email} if number else {"external_id": external_id},
        optional={
            **({"external_id": external_id} if number else {}),
            "first_name": LINE, "last_name": LINE, "company": LINE, "phone": PHONE,
            "country": LINE | st.sampled_from(["FR", "Deutschland"]), "city": LINE, "description": LINES,
            "opted_out": st.just(True),
            "custom": st.fixed_dictionaries({}, optional={
                name: LINES if values is None else values for name, (_, values) in FIELDS.items()
            }),
        },
    )  # fmt: skip


CONTACTS = st.builds(
    lambda contacts, phones: (*contacts, *({"phone": phone} for phone in phones)),
    st.integers(1, 4).flatmap(lambda count: st.tuples(*[contact(number) for number in range(count)])),
    st.lists(st.sampled_from(["+44 20 7946 0958", "+1 (202) 555-0143"]), unique=True),
)
NAMES = st.lists(LINE.map(str.strip), max_size=3, unique_by=lambda name: name.casefold())


async def stored(node: Node) -> list[Any]:
    """All that is stored of contacts, with the versions that changes raise."""

    def read(reader: Reader) -> list[Any]:
        return [
            reader.execute(sql).fetchall()
            for sql in (
                "SELECT * FROM crm_contacts ORDER BY key",
                "SELECT * FROM crm_members ORDER BY 1, 2",
                "SELECT * FROM crm_taggings ORDER BY 1, 2",
                "SELECT name FROM crm_lists UNION ALL SELECT name FROM crm_tags",
                "SELECT count(*) FROM log WHERE kind LIKE 'crm.%'",
            )
        ]

    return await node.core.db.read(read)


async def shown(node: Node) -> list[Any]:
    """What files have of contacts."""

    def read(reader: Reader) -> list[Any]:
        columns = "email, external_id, first_name, last_name, company, phone, phone_key, country, city, description"
        lists = "crm_members m ON m.contact = c.key JOIN crm_lists n ON n.key = m.list"
        tags = "crm_taggings m ON m.contact = c.key JOIN crm_tags n ON n.key = m.tag"
        contacts = reader.execute(f"SELECT {columns}, opted_out_at / 1000, custom FROM crm_contacts ORDER BY email")
        return [[(*row[:-1], orjson.loads(row[-1] or "{}")) for row in contacts.fetchall()]] + [
            reader.execute(f"SELECT c.email, n.name FROM crm_contacts c JOIN {each} ORDER BY 1, 2").fetchall()
            for each in (lists, tags)
        ]

    return await node.core.db.read(read)


async def exported(node: Node, format: str, delimiter: str) -> Path:
    """All contacts in a file."""
    made = (await node.call(
        "crm.exports.create", contacts={"all": True}, format=format, delimiter=delimiter, preset="full"
    ))["export"]  # fmt: skip
    assert (await run_work(node, made["work"]))["status"] == "done"
    return await path_of(node, made)


async def imported(node: Node, path: Path) -> dict[str, Any]:
    """The import of a file, with everything that a user can let it change."""
    id = (await node.call("crm.imports.create", path=str(path), name=path.name))["import"]["id"]
    policies = {"fields": "overwrite", "empty": "erase", "tags": "replace", "consent": "overwrite"}
    await node.call("crm.imports.map", **{"import": id}, policies=policies)
    await finished(node, node, "plan", id)
    done = await finished(node, node, "start", id)
    rows = (await node.call("crm.imports.rows", **{"import": id}))["rows"]
    return {"counts": done["counts"], "rows": [row for row in rows if row["verdict"] != "unchanged"]}


@pytest.mark.slow
@pytest.mark.limit(900)
@pytest.mark.parametrize(("format", "delimiter"), FORMATS)
def test_what_was_exported_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, format: str, delimiter: str
) -> None:
    @settings(deadline=None, max_examples=examples(6), suppress_health_check=list(HealthCheck))
    @given(CONTACTS, NAMES, NAMES)
    def check(contacts: tuple[dict[str, Any], ...], lists: list[str], tags: list[str]) -> None:
        trio.run(changes_nothing, contacts, lists, tags)

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Node]:
        async with open_node(tmp_path_factory.mktemp("node"), Config(), only=[chatnode_crm]) as node:
            for name, (kind, _) in FIELDS.items():
                choices = {"choices": ["Free", "=Gold;Plus", "1,5"]} if kind == "choice" else {}
                await node.call("crm.fields.define", name=name, kind=kind, **choices)
            yield node

    async def changes_nothing(contacts: tuple[dict[str, Any], ...], lists: list[str], tags: list[str]) -> None:
        async with opened() as node:
            ids = [(await node.call("crm.contacts.create", **each))["contact"]["id"] for each in contacts]
            for name in lists:
                made = await node.call("crm.lists.create", name=name)
                await node.call("crm.lists.add", list=made["list"]["id"], contacts=ids[:2])
            for name in tags:
                made = await node.call("crm.tags.create", name=name)
                await node.call("crm.tags.apply", tags=[made["tag"]["id"]], contacts=ids[-2:])
            before = await stored(node)
            path = await exported(node, format, delimiter)
            again = await imported(node, path)
            assert again["rows"] == []
            assert again["counts"]["unchanged"] == len(contacts)
            assert await stored(node) == before
            async with opened() as other:
                await imported(other, path)
                assert await shown(other) == await shown(node)

    check()
