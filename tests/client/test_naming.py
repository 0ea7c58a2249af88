"""What a person typed for a conversation leads to that one or to none."""

from __future__ import annotations

import pytest

from chatnode.client import Client, connect
from chatnode.errors import Refusal
from chatnode.terminal.naming import find

from .conftest import Served


async def refused(client: Client, text: str) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        await find(client, text)
    return caught.value.code, caught.value.message


async def test_a_handle_is_the_user_whatever_groups_are_called(node: Served, ann: Client, bob: Client) -> None:
    for title in ("ann", "ANN", "Ann & friends", "annabel"):
        await bob.create_group(title, ["ann"])
    async with connect(node.url, await node.token("cleo")) as cleo:
        await bob.create_group("ann", ["cleo"])
        direct = await cleo.direct("ann")
        for text in ("ann", "Ann", "@ann", "@ANN", " ann ", ann.me.id, direct):
            entry = await find(cleo, text)
            assert (entry.kind, entry.conversation) == ("direct", direct), text


@pytest.mark.parametrize("title", ["dora", "Dora", "ＤＯＲＡ", "dora "])
async def test_a_user_who_is_not_there_yet_is_no_group_either(ann: Client, bob: Client, title: str) -> None:
    group = await bob.create_group(title, ["ann"])
    for text in ("dora", "DORA", "ｄｏｒａ"):
        assert await refused(ann, text) == (
            "not_found",
            f"no such user: {text}; the group of that title is written '#{text}'",
        )
    assert await refused(ann, "@dora") == ("not_found", "no such user: dora")
    assert (await find(ann, "#dora")).conversation == group
    assert (await find(ann, group)).conversation == group


async def test_a_title_counts_only_whole(ann: Client) -> None:
    trip = await ann.create_group("Road trip")
    linux = await ann.create_group("#linux")
    cafe = await ann.create_group("Caf\u00e9  au lait")
    for text, group in (
        ("road TRIP", trip), ("#Road trip", trip), ("  road   trip ", trip), ("#linux", linux), ("##linux", linux),
        ("cafe\u0301 au lait", cafe),
    ):  # fmt: skip
        assert (await find(ann, text)).conversation == group, text
    await ann.create_group("@ann lee")
    for text in ("@ann lee", "Road", "road tri", "#road", "Road trips", "linux2", "#", "@", "", "cafe au", "#lin"):
        code, message = await refused(ann, text)
        assert (code, message.startswith("no such ")) == ("not_found", True), text


async def test_what_a_user_calls_themselves_is_no_title(ann: Client, bob: Client) -> None:
    await ann.direct("bob")
    await bob.call("people.update", name="Road trip")
    for text in ("Road trip", "#Road trip"):
        assert (await refused(ann, text))[0] == "not_found"


async def test_several_groups_alike_are_listed_with_what_tells_them_apart(ann: Client, bob: Client) -> None:
    own = await ann.create_group("The boats")
    others = await bob.create_group("the  Boats", ["ann"], visibility="public")
    await bob.post(others, "x\x1b[2J")
    code, message = await refused(ann, "the boats")
    first, *listed = message.split("\n")
    assert (code, first) == ("conflict", "2 groups are called the boats; use an id:")
    assert {line.split(",")[0].strip() for line in listed} == {own, others}
    assert "you are owner" in listed[[own in line for line in listed].index(True)]
    assert "public, 2 members, you are member, last message by bob" in message
    assert (await refused(ann, "#The boats"))[0] == "conflict"
    assert (await find(ann, own)).conversation == own


async def test_all_of_a_long_inbox_is_looked_through(ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatnode.terminal.naming._PAGE", 2)
    first = await ann.create_group("Old tea")
    for number in range(5):
        await ann.create_group(f"newer {number}")
    assert (await find(ann, "old tea")).conversation == first
    await ann.create_group("Old tea")
    assert (await refused(ann, "old tea"))[0] == "conflict"


async def test_what_was_typed_cannot_steer_the_answer(ann: Client) -> None:
    _, message = await refused(ann, "x\x1b[2J y")
    assert "\x1b" not in message
