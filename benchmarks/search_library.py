"""A data directory with a million messages in 200 groups, to be searched; filled through the node and kept."""

import json
import shutil
import time
from itertools import islice
from pathlib import Path

import cattrs
from attrs import frozen

from benchmarks.archive import originals, varied
from benchmarks.errors import require
from benchmarks.http_client import HttpClient
from benchmarks.scenario import Trial
from benchmarks.servers import Server

GROUPS = 200
FEW = 3
BATCH = 1_000
INDEX_SECONDS = 600.0
POLL_SECONDS = 0.5
TITLES = ("Number theory", "Topology", "Category theory", "Maths", "New members", "Program verification", "Lean 4 dev")


@frozen
class Searched:
    """A data directory, with tokens of a member of every group and of a member of a few."""

    data: Path
    everything: str
    little: str


def searched(trial: Trial) -> Searched:
    """The library; filled on first use."""
    place = trial.library / f"search-{trial.size.filled}"
    data, label = place / "data", place / "filled.json"
    if not label.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        label.write_text(json.dumps(_fill(trial, data)))
    return cattrs.structure({"data": data, **json.loads(label.read_text())}, Searched)


def _fill(trial: Trial, data: Path) -> dict[str, str]:
    root = trial.stack.administrator(data)
    with trial.serving(data) as server, server.client(root) as admin:
        everything, little = admin.add_people(2, "searcher")
        groups = [_import(admin, number, trial.size.filled) for number in range(GROUPS)]
        _import_texts(admin, groups, trial.size.filled)
        _join(server, everything.token, groups)
        _join(server, little.token, groups[:: GROUPS // FEW][:FEW])
        wait_until_indexed(admin)
        return {"everything": everything.token, "little": little.token}


def _import(admin: HttpClient, number: int, messages: int) -> str:
    title = f"{TITLES[number % len(TITLES)]} {number}"
    return admin.call("import.conversation", source="benchmark", key=str(number), title=title, join=False)[
        "conversation"
    ]


def _import_texts(admin: HttpClient, groups: list[str], count: int) -> None:
    """Import a batch per group in turn, as if all groups had been active at the same time."""
    texts = varied(originals(), count)
    number, size = 0, min(BATCH, max(1, count // len(groups)))
    while batch := list(islice(texts, size)):
        items = [
            {"cid": f"m{number * size + place}", "author": said.author, "at": said.at, "text": said.text or "-"}
            for place, said in enumerate(batch)
        ]
        group = groups[number % len(groups)]
        answer = admin.call("import.messages", conversation=group, source="benchmark", items=items)
        require(answer["imported"] == len(batch), f"every message is imported: {answer}")
        number += 1


def _join(server: Server, token: str, groups: list[str]) -> None:
    with server.client(token) as client:
        for group in groups:
            client.call("conversations.join", conversation=group)


def wait_until_indexed(client: HttpClient) -> None:
    """Wait until the node reports that every message is indexed."""
    deadline = time.monotonic() + INDEX_SECONDS
    while client.health()["search"]["waiting"]:
        require(time.monotonic() < deadline, f"all is indexed within {INDEX_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)
