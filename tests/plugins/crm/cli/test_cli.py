"""`chatnode crm`: what people type, and what they see and get. No node runs here: the command opens it."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import orjson
import pytest
import trio
from python_calamine import CalamineWorkbook

from chatnode.config import Config
from chatnode.node import Node, open_node
from tests.cli.command import Done, chatnode
from tests.plugins.crm.exports.making import add, contact


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a node that has contacts."""
    data = tmp_path_factory.mktemp("node") / "data"

    async def make() -> None:
        async with open_node(data, Config()) as node:
            await fill(node)

    trio.run(make)
    return data


async def fill(node: Node) -> None:
    await node.call("crm.fields.define", name="Size", kind="choice", choices=["S", "L"])
    await add(
        node, contact(email="ann@example.com", first_name="Ann", phone="+33612345678", country="France"),
        contact(email="bob@example.com", company="=Bob & Sons"), lists="News", tags="Gold",
    )  # fmt: skip
    await add(node, contact(email="cay@example.com", city="Zürich"))


@pytest.fixture
def data(tmp_path: Path, kept: Path) -> Path:
    return shutil.copytree(kept, tmp_path / "data")


def crm(data: Path, *arguments: str) -> Done:
    return chatnode(data, "crm", *arguments)


def ok(done: Done) -> str:
    assert done.status == 0, done.err
    return done.out


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


def test_contacts_are_exported_to_a_file(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    done = crm(data, "export", "--all", "--output", str(path))
    ok(done)
    assert "exported 3 contacts" in done.err
    assert [row["Email"] for row in rows(path)] == ["ann@example.com", "bob@example.com", "cay@example.com"]
    assert list((data / "plugins" / "crm" / "exports").iterdir()) == []


def test_an_export_says_which_contacts_and_columns(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    ok(crm(data, "export", "--list", "news", "--columns", "email, tags", "--output", str(path)))
    assert rows(path) == [{"Email": f"{name}@example.com", "Tags": "Gold"} for name in ("ann", "bob")]
    found = crm(data, "export", "--filter", '{"city": {"_null": false}}', "--full", "--output", str(path), "--force")
    ok(found)
    [cay] = rows(path)
    assert (cay["Email"], cay["City"], cay["Size"]) == ("cay@example.com", "Zürich", "")


def test_the_format_follows_from_the_name(data: Path, tmp_path: Path) -> None:
    sheet, cards = tmp_path / "all.xlsx", tmp_path / "all.vcf"
    for path in (sheet, cards):
        ok(crm(data, "export", "--all", "-o", str(path)))
    assert len(CalamineWorkbook.from_path(sheet).get_sheet_by_index(0).to_python()) == 4
    assert cards.read_text().count("BEGIN:VCARD\n") == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "choose the contacts: give one of --list, --filter and --all"),
        (("--all", "--list", "News"), "choose the contacts"),
        (("--filter", "{"), "--filter is not JSON"),
    ],
)
def test_what_is_asked_wrongly_is_explained(data: Path, arguments: tuple[str, ...], said: str) -> None:
    done = crm(data, "export", *arguments)
    assert (done.status, said in done.err) == (2, True)


def test_a_file_that_exists_and_a_list_that_does_not_are_refused(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "there.csv"
    path.write_text("mine")
    assert "overwrite it with --force" in crm(data, "export", "--all", "-o", str(path)).err
    assert path.read_text() == "mine"
    done = crm(data, "export", "--list", "Nowhere", "-o", str(tmp_path / "new.csv"))
    assert done.status == 1
    assert "Nowhere" in done.err


def test_lists_tags_fields_and_figures_are_shown(data: Path) -> None:
    assert ok(crm(data, "lists")).splitlines()[0].split() == ["NAME", "KIND", "CONTACTS", "LAST", "CHANGED"]
    assert ok(crm(data, "lists")).splitlines()[1].split()[:3] == ["News", "static", "2"]
    assert ok(crm(data, "tags")).splitlines()[1].split() == ["Gold", "#6B7280", "2"]
    assert ok(crm(data, "fields")).splitlines()[1].split() == ["Size", "choice", "S,", "L"]
    stats = ok(crm(data, "stats", "--days", "2"))
    assert stats.startswith("3 contacts\n")
    assert stats.splitlines()[4].split()[1:] == ["3", "0", "3"]  # new, deleted and all; no node has counted them yet
    assert "Countries" in stats
    today = ok(crm(data, "stats", "--days", "1"))
    assert ("The last 1 day\n" in today, "IN 1 DAY\n" in today) == (True, True)


def imported(data: Path, path: Path, *arguments: str) -> Done:
    return crm(data, "import", str(path), *arguments)


def test_an_import_says_what_it_did(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("Email,First Name,Last Name\nann@example.com,Anna,A\ndan@example.com,Dan,D\nnobody,X,Y\n")
    tried = imported(data, path, "--list", "News", "--dry-run")
    assert tried.status == 1
    assert "nothing was changed" in tried.out
    done = imported(data, path, "--list", "News", "--tag", "Gold")
    assert done.status == 1
    for said in (tried.out, done.out):
        assert "1 created" in said
        assert "1 updated" in said
        assert "1 invalid" in said
    assert "row 3, line 4: email: " in done.err
    assert ok(crm(data, "lists")).splitlines()[1].split()[:3] == ["News", "static", "3"]


def test_an_import_tells_what_it_does_not_read_and_can_be_told(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("Email,Wants no mail,SMS opt-out,Turnover,Fax\ndan@example.com,yes,1,12,\n")
    tried = imported(data, path, "--dry-run")
    assert (tried.status, tried.err.count("note: ")) == (0, 2)
    assert "'SMS opt-out'" in tried.err
    assert tried.err.endswith("note: not imported: Wants no mail, SMS opt-out, Turnover\n")
    done = imported(data, path, "--opted-out", "wants no mail", "--dates", "dmy", "--decimal", ",")
    assert (done.status, done.err.count("note: ")) == (0, 2)
    assert done.err.endswith("note: not imported: SMS opt-out, Turnover\n")
    out = tmp_path / "all.csv"
    ok(crm(data, "export", "--all", "--full", "-o", str(out)))
    assert [row["Opted Out At"] != "" for row in rows(out) if row["Email"] == "dan@example.com"] == [True]
    assert imported(data, path, "--mapping", "Shop", "--decimal", ",").status == 2


@pytest.mark.parametrize(("column", "unread"), [("sms opt out", "Turnover"), ("", "SMS opt-out, Turnover")])
def test_an_import_that_was_told_of_opt_outs_does_not_ask(data: Path, tmp_path: Path, column: str, unread: str) -> None:
    path = tmp_path / "new.csv"
    path.write_text("Email,SMS opt-out,Turnover\ndan@example.com,1,12\n")
    done = imported(data, path, "--opted-out", column, "--dry-run")
    assert (done.status, done.err) == (0, f"note: not imported: {unread}\n")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Ann Lee,ann@example.com\nBob,bob@example.com\n", "column 1"),
        ("Email,Email,Name\nann@example.com,ann@home.example,Ann\n", "Email"),
    ],
    ids=["without a header", "two of a name"],
)
def test_columns_that_are_not_read_are_named(data: Path, tmp_path: Path, text: str, note: str) -> None:
    path = tmp_path / "new.csv"
    path.write_text(text)
    assert imported(data, path, "--dry-run").err == f"note: not imported: {note}\n"


def test_an_import_whose_list_does_not_exist_leaves_nothing(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("Email,First Name,Last Name\nann@example.com,Anna,A\n")
    done = imported(data, path, "--list", "Newz")
    assert done.status == 1
    assert "no such list: 'Newz'; crm.lists.list shows all" in done.err
    assert orjson.loads(chatnode(data, "call", "crm.imports.list").out)["imports"] == []


def test_a_policy_that_does_not_exist_is_refused(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("Email\n")
    done = imported(data, path, "--policy", "fields=guess")
    assert (done.status, "'fields=guess' is not one of match=email|external_id;" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["all.csv", "all.xlsx", "all.vcf"])
def test_what_was_exported_changes_nothing_when_it_is_imported(data: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    ok(crm(data, "export", "--all", "--full", "-o", str(path)))
    done = imported(data, path, "--policy", "fields=overwrite", "--policy", "empty=erase")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[1:] == ["           3 unchanged"]
