"""Files over HTTP: uploaded, refused, and the rows that were not imported, fetched with a signed link."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import pytest

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import LiveUser, MakePerson, User, configured, fetch, refused
from tests.plugins.crm.imports.importing import begun

FILE = b"email,first_name,last_name,city\nann@example.com,Ann,Lee,=1+1\nnobody,No,Body,'Lyon\n,Not,There,\xc3\xa9\n"


@pytest.fixture
def config() -> Config:
    return configured(plugins={"crm": {"import_mib": 1, "imports_per_day": 3}}, server={"shutdown_seconds": 1.0})


@pytest.fixture
async def mia(person: MakePerson) -> LiveUser:
    return await person("mia", role="contacts_manager")


async def upload(url: str, token: str | None, body: bytes, **headers: str) -> Any:
    address = f"{url}/plugins/crm/imports?name=../my%20contacts.csv"
    return await fetch(address, token, method="POST", body=body, headers=headers)


async def ended(node: Node, who: User, id: str) -> dict[str, Any]:
    """Wait until the serving node has done the work of an import."""
    while True:
        found = (await who.call("crm.imports.get", **{"import": id}))["import"]
        work = (await who.call("work.get", work=found["work"]))["work"]
        if work["status"] not in ("waiting", "running"):
            assert work["status"] == "done", work
            return found


async def test_a_file_is_uploaded_imported_and_its_errors_are_fetched_and_imported(
    node: Node, url: str, mia: LiveUser
) -> None:
    token = await mia.token()
    answer = await upload(url, token, FILE)
    assert answer.status == 201, answer.text
    [found] = (await mia.does("crm.imports.list"))["imports"]
    assert (found["name"], found["bytes"], found["state"]) == ("my contacts.csv", len(FILE), "received")
    id = found["id"]
    await mia.does("crm.imports.map", **{"import": id})
    await mia.does("crm.imports.start", **{"import": id})
    counts = (await ended(node, mia, id))["counts"]
    assert (counts["created"], counts["invalid"]) == (1, 2)

    link = (await mia.does("crm.imports.errors", **{"import": id}))["url"]
    errors = await fetch(url + link)
    assert (errors.status, errors.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    rows = list(csv.reader(io.StringIO(errors.body.decode("utf-8-sig"))))
    assert rows[0] == ["email", "first_name", "last_name", "city", "_row", "_line", "_field", "_code", "_message"]
    assert [row[:8] for row in rows[1:]] == [
        ["nobody", "No", "Body", "'Lyon", "2", "3", "email", "invalid_email"],
        ["", "Not", "There", "é", "3", "4", "email", "required"],
    ]
    fixed = errors.body.replace(b"nobody", b"nobody@example.com").replace(b"\n,Not", b"\nnot@example.com,Not")
    again = await begun(mia, fixed.decode("utf-8-sig"))
    await mia.does("crm.imports.start", **{"import": again})
    assert (await ended(node, mia, again))["counts"]["created"] == 2


async def test_a_link_is_for_one_import_and_ends_with_its_user(node: Node, url: str, mia: LiveUser) -> None:
    id = await begun(mia, FILE.decode())
    await mia.does("crm.imports.plan", **{"import": id})
    await ended(node, mia, id)
    link = (await mia.does("crm.imports.errors", **{"import": id}))["url"]
    assert (await fetch(url + link)).status == 200
    assert (await fetch(url + link.replace("verdicts=invalid", "verdicts=duplicate"))).status == 404
    assert (await fetch(url + link.replace(id, "0" * 32))).status == 404
    assert (await fetch(url + link.split("?")[0])).status == 401
    assert (await fetch(url + link.split("?")[0], await mia.token())).status == 200
    await node.call("people.role", person="mia", role="member")
    assert (await fetch(url + link)).status == 403


async def test_what_is_refused_leaves_nothing(node: Node, url: str, mia: LiveUser) -> None:
    token = await mia.token()
    assert (await upload(url, None, FILE)).status == 401
    assert (await upload(url, token, b"x" * (1 << 20) + b"x")).status == 413
    assert (await upload(url, token, FILE, **{"Content-Type": "multipart/form-data; boundary=x"})).status == 400
    assert (await upload(url, token, b"")).status == 400
    assert (await mia.does("crm.imports.list"))["imports"] == []
    directory = node.core.directory.path / "plugins" / "crm" / "imports"
    assert not directory.exists() or list(directory.iterdir()) == []


async def test_a_user_may_begin_some_imports_a_day(node: Node, mia: LiveUser) -> None:
    for _ in range(3):
        id = await begun(mia, FILE.decode())
    await mia.does("crm.imports.delete", **{"import": id})
    with refused("rate_limited"):
        await mia.does("crm.imports.create", text="email\n")
    await begun(node, FILE.decode())


async def test_a_path_is_that_of_a_file(node: Node, tmp_path: Path) -> None:
    """To open a pipe would wait for who writes to it, and the node could not even be stopped."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero"), tmp_path / "nothing"):
        with refused("not_found", "path"):
            await node.call("crm.imports.create", path=str(path))
