"""Repeats, answers and time in any order, against the plainest model: a bot hears of each invocation once, and
each user gets just the answers that were given to them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.config import Config, Limits
from chatnode.errors import Refusal
from chatnode.node import Node, open_node
from chatnode.services.invocations import Invocations
from chatnode.testing import LiveUser
from tests.bots import DEPLOY, make_bot
from tests.quick import examples
from tests.services.test_slash import age

CONFIG = Config(limits=Limits(requests_per_minute=0, posts_per_minute=0, invocations_per_minute=0))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.sampled_from("ab"), st.sampled_from("12"), st.sampled_from(["main", "other"])),
        st.tuples(st.just("reply"), st.sampled_from("ab"), st.sampled_from("12"), st.sampled_from(["1", "2"])),
        st.tuples(st.just("pass"), st.sampled_from([0.1, 11.0, 25.0])),
        st.tuples(st.just("look")),
    ),
    max_size=25,
)


class Model:
    """What must be so: by user and cid, the text that was run, its age in minutes, and the answers."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, str], str] = {}
        self.ages: dict[tuple[str, str], float] = {}
        self.replies: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.told: dict[tuple[str, str], list[str]] = defaultdict(list)

    def run(self, who: str, cid: str, text: str) -> str:
        if self.runs.setdefault((who, cid), text) != text:
            return "conflict"
        self.ages.setdefault((who, cid), 0.0)
        return "ok"

    def reply(self, who: str, cid: str, reply: str) -> str:
        if (who, cid) not in self.runs:
            return "not_found"
        if reply in self.replies[who, cid]:
            return "ok"
        if self.ages[who, cid] > 30:
            return "gone"
        self.replies[who, cid].add(reply)
        return "ok"

    def look(self) -> None:
        """What is overdue is told, each once, and nothing of what was answered. Later than all, the first is left out
        if nobody looked in between."""
        for place, minutes in self.ages.items():
            status = "unanswered" if minutes >= 30 else "working" if minutes >= 0.05 else None
            if status is not None and not self.replies[place] and status not in self.told[place]:
                self.told[place].append(status)


@settings(max_examples=examples(15), deadline=None)
@given(STEPS)
def test_each_is_told_once_and_answered_as_the_model_says(steps: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        trio.run(_play, Path(folder), steps)


async def _play(folder: Path, steps: list[tuple[Any, ...]]) -> None:
    async with open_node(folder, CONFIG, only=(), inline=True) as node:
        people = {name: await LiveUser.new(node, f"user-{name}") for name in "ab"}
        room = await people["a"].group(people["b"])
        bot = await make_bot(node, "ci", DEPLOY, room=room, by=people["a"])
        model, ids = Model(), dict[tuple[str, str], str]()
        for step in steps:
            await _take(node, model, people, bot, room, ids, step)
        heard = [(each["invocation"], each["text"]) for each in bot.heard("slash.invoked")]
        assert sorted(heard) == sorted((ids[place], text) for place, text in model.runs.items())
        for name, person in people.items():
            notices = [each["notice"] for each in person.heard("notice.private")]
            found = defaultdict(list)
            for each in notices:
                found[each["invocation"]].append(each.get("status", each["text"]))
            expected = {
                ids[place]: sorted([*model.told[place], *model.replies[place]])
                for place in model.runs
                if place[0] == name and (model.told[place] or model.replies[place])
            }
            assert {id: sorted(words) for id, words in found.items()} == expected


async def _take(
    node: Node,
    model: Model,
    people: dict[str, LiveUser],
    bot: LiveUser,
    room: str,
    ids: dict[tuple[str, str], str],
    step: tuple[Any, ...],
) -> None:
    match step:
        case ("run", who, cid, text):
            asked = {"conversation": room, "text": f"/deploy {text}", "cid": cid}
            expected, known = model.run(who, cid, text), (who, cid) in ids
            reply = await _outcome(people[who], "slash.run", asked)
            assert reply["outcome"] == expected
            if expected == "ok":
                assert reply["dup"] == known
                assert ids.setdefault((who, cid), reply["invocation"]) == reply["invocation"]
        case ("reply", who, cid, reply):
            asked = {"invocation": ids.get((who, cid), "0" * 32), "text": reply, "cid": reply}
            assert (await _outcome(bot, "slash.reply", asked))["outcome"] == model.reply(who, cid, reply)
        case ("pass", minutes):
            await age(node, minutes)
            model.ages = {place: before + minutes for place, before in model.ages.items()}
        case _:
            await node.core.part(Invocations).tell_overdue()
            model.look()


async def _outcome(who: LiveUser, command: str, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"outcome": "ok", **await who.does(command, **asked)}
    except Refusal as refusal:
        return {"outcome": refusal.code}
