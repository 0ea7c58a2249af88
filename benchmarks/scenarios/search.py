"""Usual queries over a million messages, by somebody who sees all of them and by somebody who sees few."""

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from attrs import frozen

from benchmarks.archive import DENSE, SEED, originals
from benchmarks.http_client import HttpClient
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.search_library import searched, wait_until_indexed

Query = dict[str, str]


@frozen
class Vocabulary:
    """Words of the archive, and how to draw from them."""

    chance: random.Random
    texts: list[list[str]]
    common: list[str]
    rare: list[str]
    authors: list[str]

    @classmethod
    def of_the_archive(cls, seed: int) -> "Vocabulary":
        said = originals()
        texts = [[word for word in each.text.split() if word.isascii() and word.isalpha()] for each in said]
        often = Counter(word.lower() for text in texts for word in set(text))
        return cls(
            random.Random(seed),
            [text for text in texts if len(text) > 4],
            [word for word, _ in often.most_common(50)],
            sorted(word for word, times in often.items() if times in (2, 3) and len(word) > 3),
            sorted({each.author.split()[0].lower() for each in said if each.author.isascii()}),
        )

    def any_common(self) -> str:
        return self.chance.choice(self.common)

    def any_rare(self) -> str:
        return self.chance.choice(self.rare)

    def neighbours(self, count: int) -> list[str]:
        text = self.chance.choice(self.texts)
        begin = self.chance.randrange(len(text) - count + 1)
        return text[begin : begin + count]

    def day(self) -> str:
        return f"{self.chance.randrange(2020, 2026)}-{self.chance.randrange(1, 13):02d}-01"


KINDS: dict[str, Callable[[Vocabulary], str]] = {
    "rare": lambda at: at.any_rare(),
    "common": lambda at: at.any_common(),
    "two": lambda at: " ".join(at.neighbours(2)),
    "phrase": lambda at: f'"{" ".join(at.neighbours(3))}"',
    "common_phrase": lambda at: f'"{at.any_common()} {at.any_common()}"',
    "prefix": lambda at: f"{at.neighbours(1)[0][:3]}*",
    "letter": lambda at: f"{at.chance.choice('abcdefghilmnoprstw')}*",
    "from": lambda at: f"from:searcher0 {at.any_common()}",
    "from_rare": lambda at: f"from:{{author}} {at.any_rare()}",
    "from_only": lambda at: "from:{author}",
    "in": lambda at: f'in:"{{title}}" {at.any_common()}',
    "in_many": lambda at: f"in:{{titles}} {at.any_rare()}",
    "before": lambda at: f"before:{at.day()} {at.any_common()}",
    "before_only": lambda at: "before:2019-06-01",
    "between": lambda at: f"after:2021-05-01 before:2021-05-{at.chance.randrange(3, 28):02d} {at.any_common()}",
    "has": lambda at: f"has:link {at.any_common()}",
    "has_none": lambda at: f"has:image {at.any_common()}",
    "without": lambda at: f"{at.any_common()} -{at.any_common()} -{at.any_common()}",
    "accents": lambda at: at.chance.choice(["cafe", "ete", "lodz", "strasse", "manana", "ευχαριστω", "dang"]),
    "dense": lambda at: (lambda run, begin: run[begin : begin + 3])(at.chance.choice(DENSE), at.chance.randrange(6)),
    "nothing": lambda at: f"{at.any_common()} zyxwvut{at.chance.randrange(1000)}",
}
"""What people search for, and some of what is hard."""

TWICE = ("common", "from_only")
"""Of these the second page is asked for too."""


def measure(trial: Trial) -> Figures:
    """One person after the other, a request at a time; every kind of query as often."""
    library = searched(trial)
    figures: Figures = {}
    with trial.serving(library.data) as server:
        for name, token in (("all", library.everything), ("few", library.little)):
            with server.client(token) as client:
                wait_until_indexed(client)
            with server.client(token) as client:  # the server has closed a connection that waited for long
                asked = _ask(client, trial.size.searches)
            every = sorted(each.milliseconds for each in asked)
            figures |= {f"{name}_p50": _at(every, 0.5), f"{name}_p99": _at(every, 0.99), f"{name}_max": every[-1]}
            figures[f"{name}_partial"] = sum(each.partial for each in asked) / len(asked) * 100
            for kind in {each.kind for each in asked}:
                times = sorted(each.milliseconds for each in asked if each.kind == kind)
                figures[f"{name}_{kind}_p99"] = _at(times, 0.99)
    return figures


@frozen
class Asked:
    """One query, how long its answer took, and whether the search was stopped."""

    kind: str
    milliseconds: float
    partial: bool


def _ask(client: HttpClient, times: int) -> list[Asked]:
    """The first round warms up and is not counted."""
    vocabulary = Vocabulary.of_the_archive(SEED)
    authors = [each["handle"] for each in client.call("people.list", limit=200)["people"]]
    titles = [each["title"] for each in client.call("inbox.list", limit=500)["conversations"]]
    asked: list[Asked] = []
    for number in range(times + 1):
        for kind, make in KINDS.items():
            title = vocabulary.chance.choice(titles)
            query = make(vocabulary).replace("{author}", vocabulary.chance.choice(authors))
            query = query.replace("{title}", title).replace("{titles}", title.split()[0])
            answer, milliseconds = _timed(client, query, None)
            if number:
                asked.append(Asked(kind, milliseconds, answer["partial"]))
            if kind in TWICE and answer.get("next"):
                answer, milliseconds = _timed(client, query, answer["next"])
                asked.append(Asked(f"{kind}_next", milliseconds, answer["partial"]))
    return asked


def _timed(client: HttpClient, query: str, after: str | None) -> tuple[dict[str, Any], float]:
    fields: Query = {"query": query} | ({"after": after} if after else {})
    begin = time.perf_counter()
    answer = client.call("search.messages", **fields)
    milliseconds = (time.perf_counter() - begin) * 1e3
    return answer, milliseconds


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _metrics() -> tuple[Metric, ...]:
    kinds = [*KINDS, *(f"{kind}_next" for kind in TWICE)]
    return (
        Metric("all_p50", "who sees all: p50, ms", 1),
        Metric("all_p99", "who sees all: p99, ms", 1, at_most=50),
        Metric("all_max", "who sees all: slowest, ms", 1),
        Metric("all_partial", "who sees all: stopped, %", 1, at_most=0),
        Metric("few_p50", "who sees few: p50, ms", 1),
        Metric("few_p99", "who sees few: p99, ms", 1, at_most=50),
        Metric("few_max", "who sees few: slowest, ms", 1),
        Metric("few_partial", "who sees few: stopped, %", 1, at_most=0),
        *(Metric(f"all_{kind}_p99", f"who sees all, {kind.replace('_', ' ')}: p99, ms", 1) for kind in kinds),
    )


SEARCH = Scenario(
    name="search",
    title="Search among {filled:,} messages: every kind of query {searches:,} times",
    rounds=3,
    metrics=_metrics(),
    measure=measure,
    only_the_node=True,
)
