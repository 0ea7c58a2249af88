"""Who opted out stays opted out: what files say of it is read, kept, and never lost."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.api import Reader
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.imports.importing import begun, finished

FILE = "email,first_name,unsubscribed\nann@example.com,Ann,1\nbob@example.com,Bob,0\n"


async def opted_out(node: Node) -> list[str]:
    """The first names of those who did."""

    def read(reader: Reader) -> list[str]:
        sql = "SELECT first_name FROM crm_contacts WHERE opted_out_at IS NOT NULL ORDER BY email"
        return [name for (name,) in reader.execute(sql).fetchall()]

    return await node.core.db.read(read)


async def made(who: User, text: str) -> str:
    return (await who.does("crm.imports.create", text=text))["import"]["id"]


async def mapped(who: User, id: str, **mapping: Any) -> dict[str, Any]:
    done = await who.does("crm.imports.map", **{"import": id}, mapping=mapping)
    return done["import"]["options"]["mapping"]


@pytest.mark.parametrize("exists", [False, True])
async def test_nought_is_no(node: Node, mara: User, exists: bool) -> None:
    if exists:
        await mara.does("crm.contacts.create", email="bob@example.com", first_name="Bob")
    id = await begun(mara, FILE)
    await finished(node, mara, "start", id)
    assert await opted_out(node) == ["Ann"]


async def test_the_column_is_found_and_stays_whatever_else_is_mapped(node: Node, mara: User) -> None:
    id = await made(mara, FILE)
    found = await mara.does("crm.imports.detect", **{"import": id})
    assert found["opted_out"] == "unsubscribed"
    columns = [column["target"] for column in found["columns"]]
    assert (await mapped(mara, id, columns=columns))["opted_out"] == "unsubscribed"
    assert (await mapped(mara, id, columns=columns, default_region="FR"))["opted_out"] == "unsubscribed"
    await finished(node, mara, "start", id)
    assert await opted_out(node) == ["Ann"]


async def test_an_empty_text_says_that_no_column_says_so(node: Node, mara: User) -> None:
    id = await made(mara, FILE)
    assert (await mapped(mara, id, opted_out=""))["opted_out"] == ""
    assert (await mapped(mara, id, default_region="FR"))["opted_out"] == ""
    await finished(node, mara, "start", id)
    assert await opted_out(node) == []


async def test_a_column_that_the_file_does_not_have_is_refused(mara: User) -> None:
    id = await made(mara, FILE)
    for command in ("map", "preview"):
        with refused("invalid", "mapping.opted_out"):
            await mara.does(f"crm.imports.{command}", **{"import": id}, mapping={"opted_out": "Wishes"})


async def test_a_saved_mapping_is_used_for_files_that_name_the_column_otherwise(mara: User) -> None:
    id = await begun(mara, FILE)
    await mara.does("crm.mappings.save", **{"import": id}, name="Shop")
    other = await made(mara, "email,Opt Out\nann@example.com,yes\n")
    done = await mara.does("crm.imports.map", **{"import": other}, saved="Shop")
    assert done["import"]["options"]["mapping"]["opted_out"] == "Opt Out"


async def test_columns_that_may_say_so_are_told(mara: User) -> None:
    id = await made(mara, "email,SMS opt-out,Country of Birth\nann@example.com,1,France\n")
    found = await mara.does("crm.imports.detect", **{"import": id})
    assert ["SMS opt-out" in note or "Country of Birth" in note for note in found["notes"]] == [True, True]
    assert "opted_out" not in found


async def test_a_state_that_is_not_known_is_a_warning(node: Node, mara: User) -> None:
    lines = "".join(f"u{number}@example.com,U,enabled\n" for number in range(200))
    id = await begun(mara, f"email,name,status\n{lines}ann@example.com,Ann,blocklisted\nbob@example.com,Bob,odd\n")
    assert (await finished(node, mara, "start", id))["counts"]["invalid"] == 0
    assert await opted_out(node) == ["Ann"]
    [row] = (await mara.does("crm.imports.rows", **{"import": id}, after=201))["rows"]
    assert [(fault["field"], fault["warning"]) for fault in row["faults"]] == [("opted_out", True)]


@pytest.mark.parametrize(
    "lines",
    [
        "ann@example.com,Ann,no,\nAnn@example.com,Ann,yes,\n",
        "ann@example.com,Ann,,\nann@example.com,Ann,yes,no number\n",
    ],
)
async def test_every_row_about_a_contact_is_believed(node: Node, mara: User, lines: str) -> None:
    """Also one that is a duplicate, or has another value that is wrong."""
    await mara.does("crm.fields.define", name="Size", kind="number")
    id = await begun(mara, f"email,first_name,opt out,Size\nbob@example.com,Bob,no,\n{lines}")
    planned = await finished(node, mara, "plan", id)
    applied = await finished(node, mara, "start", id)
    assert (applied["counts"], applied["replanned"]) == (planned["plan"], 0)
    assert await opted_out(node) == ["Ann"]


async def test_the_time_is_kept_but_is_not_in_the_future(node: Node, mara: User) -> None:
    text = "email,Opted Out At\nann@example.com,2020-01-01 12:00:00\nbob@example.com,9999-12-31\n"
    id = await begun(mara, text)
    preview = await mara.does("crm.imports.preview", **{"import": id})
    assert preview["rows"][0]["changes"]["opted_out_at"] == "2020-01-01T12:00:00.000Z"
    await finished(node, mara, "start", id)
    times = await node.core.db.read(
        lambda reader: reader.execute("SELECT opted_out_at, created_at FROM crm_contacts ORDER BY email").fetchall()
    )
    assert [times[0][0], times[1][0]] == [1_577_880_000_000, times[1][1]]
