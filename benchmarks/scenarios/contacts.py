"""A long contact list with favourites, recency and presence: pages of it, and all of it in one answer."""

import json
import shutil
import statistics
from pathlib import Path

import cattrs
from attrs import evolve, frozen

from benchmarks.errors import require
from benchmarks.generator import Session
from benchmarks.http_client import HttpClient, Person
from benchmarks.scenario import Figures, Metric, Scenario, Trial

SORTS = ("recent", "most_used", "name", "added")
PAGES = (50, 500)
SEARCHES = ({"query": "person 49"}, {"favourite": True}, {"group": "Work"})
EVERYTHING = {"CHATNODE_LIMITS__PAGE_ITEMS": "100000"}
"""So that one answer may hold the whole list."""


@frozen
class Kept:
    """A data directory, whoever keeps the list, and some of those who are in it, who can come online."""

    data: Path
    keeper: str
    contacts: list[Person]


def measure(trial: Trial) -> Figures:
    """Every second contact is online, every fourth has a status. Timed is until the last byte of the answer."""
    kept = _kept(trial)
    online = [Session("read", person.token) for person in kept.contacts[::2]]
    figures: Figures = {}
    with (
        evolve(trial, settings=EVERYTHING).serving(kept.data) as server,
        server.client(kept.keeper) as keeper,
        trial.generator.idle(server, online),
    ):
        _check(keeper, len(kept.contacts), len(online))
        for size in (*PAGES, len(kept.contacts)):
            name = f"page_{size}" if size in PAGES else "all"
            figures |= _figures(name, [keeper.seconds("contacts.list", sort=sort, limit=size)
                                       for _ in range(trial.size.searches) for sort in SORTS])  # fmt: skip
        figures |= _figures(
            "found", [keeper.seconds("contacts.list", **each) for _ in range(trial.size.searches) for each in SEARCHES]
        )
    return figures


def _figures(name: str, seconds: list[float]) -> Figures:
    ordered = sorted(each * 1000 for each in seconds)
    return {
        f"{name}_min": ordered[0],
        f"{name}_p50": statistics.median(ordered),
        f"{name}_p99": ordered[int(len(ordered) * 0.99)],
    }


def _check(keeper: HttpClient, contacts: int, online: int) -> None:
    """That the answer holds what it is said to: everybody, and how each is."""
    found = keeper.call("contacts.list", limit=contacts)["contacts"]
    require(len(found) == contacts, f"the list has {contacts} contacts: {len(found)}")
    require(all("presence" in each for each in found), "how each is, is shown")
    there = sum(each["presence"]["online"] for each in found)
    require(there == online, f"{online} are online: {there}")
    require(sum("text" in each["presence"] for each in found) == len(found[::4]), "every fourth has a status")


# ---- the list, made once and kept


def _kept(trial: Trial) -> Kept:
    place = trial.library / f"contacts-{trial.size.contacts}"
    data, label = place / "data", place / "filled.json"
    if not label.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        label.write_text(json.dumps(cattrs.unstructure(_fill(trial, data))))
    return cattrs.structure(json.loads(label.read_text()), Kept)


def _fill(trial: Trial, data: Path) -> Kept:
    """Every contact has a conversation with the keeper, and every second one has said something in it."""
    root = trial.stack.administrator(data)
    with trial.serving(data) as server, server.client(root) as admin:
        (keeper,) = admin.add_people(1, "keeper")
        contacts = admin.add_people(trial.size.contacts, "person")
        with server.client(keeper.token) as client:
            for number, person in enumerate(contacts):
                kept = {"favourite": number % 20 == 0} | ({"nickname": f"Nick {number}"} if number % 5 == 0 else {})
                kept |= {"number": f"+49 170 {number:07d}"} if number % 3 == 0 else {}
                kept |= {"groups": ["Work"]} if number % 4 == 0 else {}
                client.call("contacts.add", person=person.handle, **kept)
                talk = client.call("conversations.direct", **{"with": person.handle})["conversation"]
                if number % 2:
                    client.call("messages.post", conversation=talk, cid=f"c{number}", text="hello")
        for person in contacts[::4]:
            with server.client(person.token) as client:
                client.call("presence.status", text="busy")
    return Kept(data, keeper.token, contacts)


def _metrics() -> tuple[Metric, ...]:
    titles = {
        "page_50": "pages of 50",
        "page_500": "pages of 500",
        "all": "all at once",
        "found": "50 that are searched",
    }
    return tuple(
        Metric(f"{name}_{figure}", f"{title}: {word}, ms", 1, at_most=20 if figure == "p50" else None)
        for name, title in titles.items()
        for figure, word in (("min", "quickest"), ("p50", "p50"), ("p99", "p99"))
    )


CONTACTS = Scenario(
    name="contacts",
    title="A contact list of {contacts:,}, half of them online: each of four orders {searches:,} times",
    rounds=3,
    metrics=_metrics(),
    measure=measure,
    only_the_node=True,
)
