"""No answer has words of private conversations that its reader cannot see: every role asks every collection
everything that its declaration lets anybody ask. A new collection is asked without being named here.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from chatnode.config import Config, Limits
from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.storage.filters.collection import Collection
from chatnode.testing import User
from tests.filters.asking import MOST, questions
from tests.services.dialogue import Visitor

Asks = Callable[..., Awaitable[Any]]

#: Word → who may meet it. "late" came when all of it but `sandpiper` was said; "other" is the other one of a talk.
OURS = {"member", "owner"}
CANARIES = {
    "zebrafinch": OURS | {"late"},  # title
    "goldcrest": OURS | {"late"},  # description
    "bluethroat": OURS,  # said before "late" came, and the ex-member went
    "nightjar": OURS,  # what an edited message said first
    "ptarmigan": set[str](),  # what a deleted message said
    "capercaillie": OURS,  # metadata
    "dotterel": OURS,  # content
    "sandpiper": OURS | {"late"},  # said afterwards
    "whimbrel": {"owner", "other"},  # said in a direct conversation
    "wheatear": {"owner"},  # one's own label of the conversation
    "firecrest": {"owner", "node admin", "operator"},  # the name of a device: for whoever manages people
    "redstart": {"moderator", "node admin", "operator"},  # the note of a report
    "chiffchaff": {"owner"},  # a status, in one's history
}  # fmt: skip
ROLES = (
    "stranger",
    "ex-member",
    "late",
    "member",
    "owner",
    "other",
    "moderator",
    "node admin",
    "operator",
    "anonymous",
)


@pytest.fixture
def config() -> Config:
    plain = Config(limits=Limits(requests_per_minute=0, posts_per_minute=0, statuses_per_minute=0))
    return attrs.evolve(plain, presence=attrs.evolve(plain.presence, history_days=30))


async def people_of(node: Node) -> dict[str, User]:
    """One for each role that has an account."""
    handles = ("stranger", "ex-member", "late", "member", "owner", "other")
    people = {handle: await User.new(node, handle) for handle in handles}
    people["node admin"] = await User.new(node, "node-admin", admin=True)
    moderator = await User.new(node, "moderator")
    await node.call("people.role", person="moderator", role="moderator")
    people["moderator"] = User(node, attrs.evolve(moderator.account, role="moderator"))
    return people


async def plant(people: dict[str, User]) -> None:
    owner, member, late = people["owner"], people["member"], people["late"]
    room = await owner.group(member, people["ex-member"], title="zebrafinch", description="goldcrest")
    await owner.call("conversations.settings", conversation=room, label="wheatear", starred=True)
    await owner.says(room, "bluethroat @member")
    edited = await member.posts(room, "nightjar")
    await member.call("messages.edit", message=edited["message"], text="something else")
    deleted = await owner.posts(room, "ptarmigan once")
    await owner.call("messages.edit", message=deleted["message"], text="ptarmigan twice")
    await owner.call("messages.delete", message=deleted["message"])
    await owner.says(room, "look", metadata={"bird": "capercaillie"})
    await member.says(room, "here", kind="location", location={"latitude": 1, "longitude": 2, "name": "dotterel"})
    reported = await owner.posts(room, "bluethroat again")
    await member.call("messages.report", message=reported["message"], reason="other", note="redstart")
    for who in (owner, member, people["ex-member"]):
        await who.call("receipts.read", conversation=room, seq=5)
    await owner.call("conversations.members.remove", conversation=room, member="ex-member")
    await owner.call("conversations.members.add", conversation=room, member="late")
    await late.says(room, "sandpiper")
    await owner.says(await owner.direct(people["other"]), "whimbrel")
    await owner.call("tokens.create", label="firecrest")
    await owner.call("presence.status", text="chiffchaff")
    first, *others = people.values()
    await first.group(*others, title="all together")


async def received(asks: Asks, collection: Collection) -> str:
    """All that somebody gets by asking everything."""
    answers: list[str] = []
    for fields in questions(collection, ("zebrafinch", "bluethroat")):
        try:
            answers.append(
                json.dumps(await asks("items.query", collection=collection.name, **{"limit": MOST} | fields))
            )
        except Refusal as refusal:
            answers.append(json.dumps(refusal.as_json()))
    return "".join(answers)


@pytest.mark.slow
async def test_private_words_are_in_nobodys_answers(node: Node) -> None:
    people = await people_of(node)
    await plant(people)
    asking: dict[str, Asks] = {name: who.call for name, who in people.items()}
    asking |= {"operator": node.call, "anonymous": Visitor(node).call}
    assert set(asking) == set(ROLES)
    met: dict[str, set[str]] = {word: set() for word in CANARIES}
    for collection in node.core.collections:
        for role, asks in asking.items():
            text = await received(asks, collection)
            for word in CANARIES:
                if word in text:
                    met[word].add(role)
    assert met == CANARIES
