"""Values of custom fields as files write them, and tables that are mended and imported again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.crm.imports.importing import begun, finished
from tests.plugins.crm.imports.test_torture import errors, imported


async def read(node: Node, who: User, text: str, **mapping: Any) -> list[Any]:
    """The value of the custom field of each row, or why it is none; a warning is beside the value."""
    id = await begun(who, text, **({"mapping": mapping} if mapping else {}))
    await finished(node, who, "start", id)
    shown = (await who.does("crm.imports.rows", **{"import": id}))["rows"]
    found = list[Any]()
    for row in shown:
        faults = [fault["code"] for fault in row.get("faults", ())]
        contacts = (await who.does("crm.contacts.search", query=row["cells"][0]))["contacts"]
        values = [value for each in contacts for value in each["custom"].values()]
        found.append(values[0] if not faults else (*values, *faults) if values else faults[0])
    return found


def table(header: str, *cells: str, delimiter: str = ",") -> str:
    lines = [f"email{delimiter}{header}", *(f"u{at}@example.com{delimiter}{cell}" for at, cell in enumerate(cells))]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({}, ["2025-12-31", "2025-12-31", "2025-12-31", "invalid_date", "invalid_date"]),
        ({"date_form": "dmy"}, ["2025-12-31", "2025-12-31", "2025-12-31", "2025-02-01", "2025-02-01"]),
        ({"date_form": "mdy"}, ["2025-12-31", "invalid_date", "2025-12-31", "2025-01-02", "2025-01-02"]),
    ],
)
async def test_dates(node: Node, mara: User, mapping: dict[str, str], expected: list[str]) -> None:
    await mara.does("crm.fields.define", name="Ends", kind="date")
    text = table("Ends", "2025-12-31", "31.12.2025", "31-Dec-2025", "01/02/2025", "01/02/25")
    assert await read(node, mara, text, **mapping) == expected


async def test_numbers(node: Node, mara: User) -> None:
    """The decimal comma that some of the first rows have is the sign in all."""
    await mara.does("crm.fields.define", name="Size", kind="number")
    text = table("Size", "1,5", "1.234", "1E+05", "12 %", "12,00 €", "1" * 5_000, "x", delimiter=";")
    assert await read(node, mara, text) == [
        1.5,
        1234,
        100_000,
        0.12,
        12,
        "invalid_value",
        "invalid_value",
    ]


async def test_numbers_that_may_be_two(node: Node, mara: User) -> None:
    await mara.does("crm.fields.define", name="Size", kind="number")
    text = table("Size", "1.234", '"1,234"')
    assert await read(node, mara, text) == [1.234, "ambiguous_number"]
    assert await read(node, mara, text, decimal=",") == [1234, 1.234]
    semicolons = table("Size", "2.345", delimiter=";")
    assert await read(node, mara, semicolons) == [(2.345, "ambiguous_number")]


async def test_flags(node: Node, mara: User) -> None:
    await mara.does("crm.fields.define", name="Paid", kind="flag")
    text = table("Paid", "WAHR", "FALSCH", "oui", "да", "✓", "0.0", "nein", "2")
    assert await read(node, mara, text) == [True, False, True, True, True, False, False, "invalid_value"]


async def test_the_errors_of_a_table_without_a_header_are_fixed_and_imported(node: Node, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("ann@example.com,Ann,Lyon\nnobody,Bob,Oslo\n")
    targets = ["email", "first_name", "city"]
    id, counts = await imported(node, tmp_path / "file", mapping={"columns": targets})
    assert (counts["created"], counts["invalid"]) == (1, 1)
    path = tmp_path / "errors.csv"
    [row] = await errors(node, id, path)
    assert (row["email"], row["first_name"], row["city"]) == ("nobody", "Bob", "Oslo")
    path.write_text(path.read_text("utf-8").replace("nobody", "bob@example.com"), "utf-8")
    for mapping in ({}, {"columns": targets}):
        _, again = await imported(node, path, mapping=mapping)
        assert again["invalid"] == 0
    [bob] = (await node.call("items.query", collection="crm_contacts", filter={"email": {"_eq": "bob@example.com"}}))[
        "data"
    ]
    assert (bob["first_name"], bob["city"]) == ("Bob", "Oslo")
