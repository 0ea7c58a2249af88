"""What recipients answer: words that stop broadcasts, and anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import chatnode_crm
import pytest
from chatnode_crm.contacts.writing import update_many

from chatnode.api import Transaction, steps_in
from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import User, configured, run_work
from tests.plugins.crm.broadcasts.sending import create, on_list, send, talk_of
from tests.plugins.crm.people.making import contact, count, events_since, head, key_of, of_account
from tests.plugins.sql import rows


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


@pytest.mark.parametrize("text", ["Don't stop!", "please", "", "STOP " * 100])
async def test_other_answers_are_answers(node: Node, mara: User, kim: User, ann: User, text: str) -> None:
    ada = await of_account(node, ann, mara)
    sent = await send(node, kim)
    if text:
        await answers(node, ann, text)
    assert "opted_out_at" not in (await mara.call("crm.contacts.get", contact=ada))["contact"]
    figures = (await kim.call("crm.broadcasts.get", broadcast=sent["broadcast"]["broadcast"]))["figures"]
    assert (figures["answered"], figures["stopped"]) == (int(bool(text)), 0)


@pytest.mark.parametrize("text", ["stop sending me the weather", "STOP please", "stop: Nwes", "stop!!1"])
async def test_in_doubt_everything_stops_and_the_answer_says_what_to_write(
    node: Node, mara: User, kim: User, ann: User, text: str
) -> None:
    ada = await of_account(node, ann, mara)
    await on_list(node, kim, "News", ada)
    await send(node, kim, "one", contacts={"in_list": "News"})
    await answers(node, ann, text)
    assert (await send(node, kim, "two"))["figures"]["opted_out"] == 1
    [*_, said] = await ann.reads(await talk_of(node, ann))
    assert "START" in said
    assert "STOP and the name of the list" in said


@pytest.mark.parametrize(
    "text", ["STOP: News", "STOP – News", "stop «news»!", "Stop 'News' 🙏", "STOP NEWS\n\nSent from my phone"]
)
async def test_a_list_s_name_may_stand_in_quotes_or_after_a_colon(
    node: Node, mara: User, kim: User, ann: User, text: str
) -> None:
    ada = await of_account(node, ann, mara)
    await on_list(node, kim, "News", ada)
    await send(node, kim, "one", contacts={"in_list": "News"})
    await answers(node, ann, text)
    assert (await send(node, kim, "two", contacts={"in_list": "News"}))["figures"]["opted_out"] == 1
    assert (await send(node, kim, "three"))["figures"]["sent"] == 1


async def test_one_list_cannot_be_started_while_everything_is_stopped(
    node: Node, mara: User, kim: User, ann: User
) -> None:
    ada = await of_account(node, ann, mara)
    await on_list(node, kim, "News", ada)
    await send(node, kim, "one", contacts={"in_list": "News"})
    for text in ("STOP News", "STOP", "START News", "start it"):
        await answers(node, ann, text)
    said = [text for text in await ann.reads(await talk_of(node, ann)) if text.startswith("You")]
    assert [text[:15] for text in said] == ["You have been u", "You have been u", "You are still u", "You are still u"]
    assert (await send(node, kim, "two", contacts={"in_list": "News"}))["figures"]["opted_out"] == 1
    await answers(node, ann, "START")
    assert (await send(node, kim, "three", contacts={"in_list": "News"}))["figures"]["sent"] == 1


async def test_a_start_that_is_no_list_starts_nothing_and_is_an_answer(
    node: Node, mara: User, kim: User, ann: User
) -> None:
    await of_account(node, ann, mara)
    await send(node, kim, "one")
    await answers(node, ann, "Start of what?")
    assert await ann.reads(await talk_of(node, ann)) == ["one", "Start of what?"]


@pytest.mark.parametrize("texts", [["stop"], ["stop", "thanks"], ["STOP: news", "and thanks"]])
async def test_stop_counts_before_the_node_has_looked_at_it(
    node: Node, mara: User, kim: User, ann: User, texts: list[str]
) -> None:
    ada = await of_account(node, ann, mara)
    await on_list(node, kim, "News", ada)
    await send(node, kim, "one", contacts={"in_list": "News"})
    for text in texts:
        await ann.says(await talk_of(node, ann), text)  # and no consumer has run
    assert (await send(node, kim, "two", contacts={"in_list": "News"}))["figures"]["opted_out"] == 1
    said = await ann.reads(await talk_of(node, ann))
    await node.consumers.catch_up()
    assert await ann.reads(await talk_of(node, ann)) == said  # it was confirmed then, and is not again


async def test_stop_counts_also_after_another_bot_sends_broadcasts(tmp_path: Path) -> None:
    def of(bot: str) -> Config:
        return configured(plugins={"crm": {"broadcasts_per_minute": 60_000, "broadcast_bot": bot}})

    async with open_node(tmp_path, of("news"), only=[chatnode_crm]) as node:
        mara, kim = await User.new(node, "mara", role="contacts_manager"), await User.new(node, "kim", role="admin")
        ann = await User.new(node, "ann")
        await of_account(node, ann, mara)
        await send(node, kim, "one")
        await ann.says(await talk_of(node, ann), "STOP")  # and no consumer has run
    async with open_node(tmp_path, of("herald"), only=[chatnode_crm]) as node:
        assert (await send(node, await User.of(node, "kim"), "two"))["figures"]["opted_out"] == 1


class TestOfAccounts:
    """Opting out belongs to the account, whatever becomes of its contact."""

    async def stopped(self, node: Node, mara: User, kim: User, ann: User) -> str:
        ada = await of_account(node, ann, mara)
        await send(node, kim, "one")
        await answers(node, ann, "STOP")
        return ada

    async def misses(self, node: Node, kim: User, ann: User) -> bool:
        figures = (await send(node, kim, "two"))["figures"]
        return "two" not in await ann.reads(await talk_of(node, ann)) and figures["opted_out"] == 1

    async def test_the_contact_is_deleted_and_made_again(self, node: Node, mara: User, kim: User, ann: User) -> None:
        ada = await self.stopped(node, mara, kim, ann)
        await mara.call("crm.contacts.delete", contact=ada)
        await run_work(node, (await mara.call("crm.contacts.add_accounts"))["work"])
        assert await self.misses(node, kim, ann)
        opted_out = "SELECT count(*) FROM crm_contacts WHERE opted_out_at IS NOT NULL"
        assert await count(node, opted_out) == 1  # so users see it as well

    async def test_the_contact_is_erased_and_made_again(self, node: Node, mara: User, kim: User, ann: User) -> None:
        ada = await self.stopped(node, mara, kim, ann)
        await mara.call("crm.contacts.erase", contact=ada, confirm=ada)
        await of_account(node, ann, mara)
        assert await self.misses(node, kim, ann)

    async def test_the_account_comes_to_another_contact(self, node: Node, mara: User, kim: User, ann: User) -> None:
        ada = await self.stopped(node, mara, kim, ann)
        [found] = (await mara.call("crm.identities.list", contact=ada))["identities"]
        await mara.call("crm.identities.remove", identity=found["identity"])
        await mara.call("crm.contacts.delete", contact=ada)
        other = await contact(node, "other@example.org")
        await mara.call("crm.identities.add", contact=other, kind="chat", external_id="ann")
        [found] = (await mara.call("crm.identities.list", contact=other))["identities"]
        await mara.call("crm.identities.verify", identity=found["identity"])
        assert await self.misses(node, kim, ann)

    async def test_what_staff_say_holds_too(self, node: Node, mara: User, kim: User, ann: User) -> None:
        ada = await of_account(node, ann, mara)
        await on_list(node, kim, "News", ada)
        await mara.call("crm.contacts.opt_out", contact=ada, list="News")
        await mara.call("crm.contacts.delete", contact=ada)
        again = await of_account(node, ann, mara)
        await mara.call("crm.lists.add", list="News", contacts=[again])
        assert (await send(node, kim, contacts={"in_list": "News"}))["figures"]["opted_out"] == 1
        assert (await send(node, kim))["figures"]["sent"] == 1
        await mara.call("crm.contacts.opt_in", contact=again, list="News")
        assert (await send(node, kim, "again", contacts={"in_list": "News"}))["figures"]["sent"] == 1

    async def test_stop_of_who_is_no_contact_any_more(self, node: Node, mara: User, kim: User, ann: User) -> None:
        ada = await of_account(node, ann, mara)
        await send(node, kim, "one")
        [found] = (await mara.call("crm.identities.list", contact=ada))["identities"]
        await mara.call("crm.identities.remove", identity=found["identity"])
        await answers(node, ann, "STOP")
        assert (await ann.reads(await talk_of(node, ann)))[-1].startswith("You have been unsubscribed")
        await mara.call("crm.identities.add", contact=ada, kind="chat", external_id="ann", verified=True)
        assert await self.misses(node, kim, ann)
        await answers(node, ann, "START")
        assert (await send(node, kim, "three"))["figures"]["sent"] == 1

    async def test_users_see_it_and_can_undo_it(self, node: Node, mara: User, kim: User, ann: User) -> None:
        ada = await self.stopped(node, mara, kim, ann)
        [found] = (await mara.call("crm.identities.list", contact=ada))["identities"]
        assert "opted_out_at" in found
        await mara.call("crm.contacts.update", contact=ada, opted_out=False)
        assert (await send(node, kim, "two"))["figures"]["sent"] == 1

    async def test_stops_from_before_the_upgrade_are_the_accounts_too(
        self, node: Node, mara: User, kim: User, ann: User, bob: User, eve: User
    ) -> None:
        """Of everything and of a list; not what staff have set, nor what was undone."""
        await self.stopped(node, mara, kim, ann)
        await on_list(node, kim, "News", await of_account(node, bob, mara))
        other = await of_account(node, eve, mara)
        await send(node, kim, "two", contacts={"filter": {"email": {"_neq": "ann@example.org"}}})
        await send(node, kim, "three", contacts={"in_list": "News"})
        await answers(node, bob, "STOP News")
        await mara.call("crm.contacts.opt_out", contact=other)
        before = await rows(node, "SELECT person, list, at FROM crm_account_opt_outs ORDER BY person")
        assert {list != 0 for _, list, _ in before} == {False, True}
        [step] = [step for step in steps_in("chatnode_crm") if step.name.endswith("stops")]

        def as_then(tx: Transaction) -> None:
            tx.execute("DELETE FROM crm_account_opt_outs")
            tx.execute(step.sql)

        await node.core.db.write(as_then)
        assert await rows(node, "SELECT person, list, at FROM crm_account_opt_outs ORDER BY person") == before
        await node.core.db.write(lambda tx: tx.execute(step.sql))  # what is there stays
        assert await rows(node, "SELECT person, list, at FROM crm_account_opt_outs ORDER BY person") == before

    async def test_a_list_that_is_gone_is_not_everything(self, node: Node, mara: User, kim: User, ann: User) -> None:
        ada = await of_account(node, ann, mara)
        await on_list(node, kim, "News", ada)
        await send(node, kim, "one", contacts={"in_list": "News"})
        await answers(node, ann, "STOP News")

        async def shown() -> list[dict[str, Any]]:
            """To staff, and to the user."""
            report = await mara.call("crm.contacts.report", contact=ada)
            page = await ann.call("people.export", after="crm_account_opt_outs:0")
            own = [each["data"] for each in page["entries"] if each["kind"] == "crm_account_opt_outs"]
            return [*report["accounts_opted_out"], *own]

        assert len(await shown()) == 2
        await kim.call("crm.lists.delete", list="News")
        assert await shown() == []

    async def test_an_import_does_not_undo_it(self, node: Node, mara: User, kim: User, ann: User) -> None:
        ada = await self.stopped(node, mara, kim, ann)
        key = await key_of(node, ada)
        await node.core.db.write(lambda tx: update_many(tx, [(key, {"opted_out_at": None})], actor=None))
        assert await self.misses(node, kim, ann)

    async def test_it_is_in_the_export_of_the_user_and_goes_with_them(
        self, node: Node, mara: User, kim: User, ann: User
    ) -> None:
        await self.stopped(node, mara, kim, ann)
        assert await count(node, "SELECT count(*) FROM crm_account_opt_outs") == 1
        await node.call("people.erase", person="ann", handle="ann")
        assert await count(node, "SELECT count(*) FROM crm_account_opt_outs") == 0


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
