"""What recipients answer: words that stop broadcasts, and anything else."""

from __future__ import annotations

import pytest

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, configured
from tests.plugins.crm.broadcasts.sending import create, on_list, send, talk_of
from tests.plugins.crm.people.making import count, events_since, head, of_account


async def answers(node: Node, who: User, text: str) -> None:
    await who.says(await talk_of(node, who), text)
    await node.consumers.catch_up()


async def test_stop_is_confirmed_once_and_holds_until_start(node: Node, mara: User, kim: User, ann: User) -> None:
    ada = await of_account(node, ann, mara)
    first = await send(node, kim, "one")
    gid = await head(node)
    await answers(node, ann, "Stop!")
    assert await events_since(node, gid) == ["contact.updated"]
    assert "opted_out_at" in (await mara.call("crm.contacts.get", contact=ada))["contact"]
    await answers(node, ann, "STOP")
    missed = await send(node, kim, "two")
    assert (missed["figures"]["opted_out"], missed["figures"]["sent"]) == (1, 0)
    await answers(node, ann, "start")
    await send(node, kim, "three")
    said = await ann.reads(await talk_of(node, ann))
    assert [text[:12] for text in said] == [
        "one", "Stop!", "You have bee", "STOP", "start", "You are subs", "three",
    ]  # fmt: skip
    figures = (await kim.call("crm.broadcasts.get", broadcast=first["broadcast"]["broadcast"]))["figures"]
    assert (figures["stopped"], figures["answered"]) == (1, 0)


async def test_a_list_can_be_stopped_by_its_name(node: Node, mara: User, kim: User, ann: User) -> None:
    ada = await of_account(node, ann, mara)
    for name in ("Weekly news", "Offers"):
        await on_list(node, kim, name, ada)
    await send(node, kim, "week 1", contacts={"in_list": "Weekly news"})
    await answers(node, ann, "stop weekly NEWS.")
    assert (await send(node, kim, "week 2", contacts={"in_list": "Weekly news"}))["figures"]["opted_out"] == 1
    assert (await send(node, kim, "offers", contacts={"in_list": "Offers"}))["figures"]["sent"] == 1
    assert (await send(node, kim, "all"))["figures"]["sent"] == 1
    await answers(node, ann, "start")  # undoes it all
    assert (await send(node, kim, "week 3", contacts={"in_list": "Weekly news"}))["figures"]["sent"] == 1


@pytest.mark.parametrize("text", ["Don't stop!", "stop sending me the weather", "please", "", "STOP " * 100])
async def test_other_answers_are_answers(node: Node, mara: User, kim: User, ann: User, text: str) -> None:
    ada = await of_account(node, ann, mara)
    sent = await send(node, kim)
    if text:
        await answers(node, ann, text)
    assert "opted_out_at" not in (await mara.call("crm.contacts.get", contact=ada))["contact"]
    figures = (await kim.call("crm.broadcasts.get", broadcast=sent["broadcast"]["broadcast"]))["figures"]
    assert (figures["answered"], figures["stopped"]) == (int(bool(text)), 0)


async def test_stop_counts_before_the_node_has_looked_at_it(node: Node, mara: User, kim: User, ann: User) -> None:
    await of_account(node, ann, mara)
    await send(node, kim, "one")
    await ann.says(await talk_of(node, ann), "stop")  # and no consumer has run
    assert (await send(node, kim, "two"))["figures"]["opted_out"] == 1
    await node.consumers.catch_up()
    assert await count(node, "SELECT count(*) FROM crm_contacts WHERE opted_out_at IS NOT NULL") == 1


async def test_what_others_say_elsewhere_means_nothing(node: Node, mara: User, kim: User, ann: User, bob: User) -> None:
    await of_account(node, ann, mara)
    await send(node, kim)
    talk = await ann.direct(bob)
    await ann.says(talk, "stop")
    await bob.says(talk, "stop")
    await node.consumers.catch_up()
    assert await count(node, "SELECT count(*) FROM crm_contacts WHERE opted_out_at IS NOT NULL") == 0
    assert await ann.reads(talk) == ["stop", "stop"]


async def test_staff_may_opt_in_again_after_a_stop(node: Node, mara: User, kim: User, ann: User) -> None:
    ada = await of_account(node, ann, mara)
    await send(node, kim, "one")
    await answers(node, ann, "stop")
    await mara.call("crm.contacts.opt_in", contact=ada)
    assert (await send(node, kim, "two"))["figures"]["sent"] == 1


class TestOwnWords:
    @pytest.fixture
    def config(self) -> Config:
        return configured(
            plugins={"crm": {"stop_words": ["Genug jetzt"], "stop_reply": "", "broadcast_footer": "Bye.\nUs"}}
        )

    async def test_words_of_the_node(self, node: Node, mara: User, kim: User, ann: User) -> None:
        await of_account(node, ann, mara)
        await send(node, kim, "one")
        await answers(node, ann, "stop")
        await answers(node, ann, "genug  JETZT")
        assert await ann.reads(await talk_of(node, ann)) == ["one\n\nBye.\nUs", "stop", "genug  JETZT"]
        assert await count(node, "SELECT count(*) FROM crm_contacts WHERE opted_out_at IS NOT NULL") == 1


async def test_a_draft_of_the_footer(node: Node, kim: User) -> None:
    assert (await create(kim, "  text  "))["text"] == "text"
