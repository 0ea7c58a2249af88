"""One message to many: who gets it, who does not, and what is known of it afterwards."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from chatnode.api import Transaction, steps_in
from chatnode.node import Node
from chatnode.testing import User, configured, refused, run_work
from tests.plugins.crm.broadcasts.sending import create, on_list, send, talk_of
from tests.plugins.crm.people.making import contact, count, key_of, of_account
from tests.plugins.sql import rows


async def test_each_contact_gets_it_once_in_its_own_conversation(
    node: Node, mara: User, kim: User, ann: User, bob: User
) -> None:
    for who in (ann, bob):
        await of_account(node, who, mara)
    result = await send(node, kim, "hello everybody")
    assert (result["broadcast"]["state"], result["figures"]["audience"], result["figures"]["sent"]) == ("done", 2, 2)
    for who in (ann, bob):
        assert await who.reads(await talk_of(node, who)) == ["hello everybody"]
    await send(node, kim, "and again")
    assert await ann.reads(await talk_of(node, ann)) == ["hello everybody", "and again"]


async def test_nobody_gets_it_whom_it_is_not_for(
    node: Node, mara: User, kim: User, ann: User, bob: User, eve: User
) -> None:
    """Opted out, not verified, deactivated, blocking the bot, or not on the list."""
    await send(node, kim)  # so that there is a bot to block
    zoe, yan, xia = [await User.new(node, handle) for handle in ("zoe", "yan", "xia")]
    out, blocking, gone, reached = [await of_account(node, who, mara) for who in (ann, bob, zoe, yan)]
    unverified = await contact(node, "eve@example.org")
    await mara.call("crm.identities.add", contact=unverified, kind="chat", external_id="eve")
    elsewhere = await contact(node, "nobody@example.org")
    await of_account(node, xia, mara)
    await mara.call("crm.contacts.opt_out", contact=out)
    await bob.call("people.block", person="news")
    await node.call("people.deactivate", person="zoe")
    await on_list(node, kim, "Readers", out, blocking, gone, reached, unverified, elsewhere)
    figures = (await send(node, kim, contacts={"in_list": "readers"}))["figures"]
    assert figures == {
        "audience": 6, "waiting": 0, "sent": 1, "read": 0, "answered": 0, "stopped": 0, "opted_out": 1,
        "unreachable": {"forbidden": 2, "no_account": 2},
    }  # fmt: skip
    assert await yan.reads(await talk_of(node, yan)) == ["news"]
    assert await count(node, "SELECT count(*) FROM messages") == 1


async def test_who_may_no_longer_use_the_chat_is_not_reached(
    node: Node, mara: User, kim: User, ann: User, bob: User, eve: User
) -> None:
    """Also in a conversation with the bot that exists. Of two accounts of a contact it is the other one."""
    for who in (ann, bob):
        await of_account(node, who, mara)
    both = await of_account(node, eve, mara)
    await User.new(node, "eva")
    await mara.call("crm.identities.add", contact=both, kind="chat", external_id="eva", verified=True)
    await send(node, kim, "one")
    await node.call("roles.set", role="guest", permissions=["groups.create"])
    for handle in ("ann", "eve"):
        await node.call("people.role", person=handle, role="guest")
    await node.call("people.deactivate", person="bob")
    figures = (await send(node, kim, "two"))["figures"]
    assert (figures["sent"], figures["unreachable"]) == (1, {"forbidden": 2})
    eva = await User.of(node, "eva")
    assert await eva.reads(await talk_of(node, eva)) == ["two"]


_LISTS = {"lists": {"_has_any": ["News"]}}


@pytest.mark.parametrize(
    "contacts",
    [
        {"in_list": "News"},
        {"in_lists": ["News", "Offers"], "at_least": 1},
        {"filter": _LISTS},
        {"filter": {"_or": [_LISTS, {"city": {"_eq": "Paris"}}]}},
        {"filter": {"_not": {"lists": {"_has_none": ["News"]}}}},
        {"in_list": "Segment"},
        {"in_list": "Segment of a segment"},
        {"in_list": "News (Copy)"},
        {"in_list": "Copy of a segment"},
        {"in_list": "Merged"},
        {"in_list": "Both"},
        {"in_list": "Selected"},
    ],
)
async def test_a_list_s_opt_outs_hold_wherever_contacts_are_reached_through_it(
    node: Node, mara: User, kim: User, ann: User, contacts: dict[str, Any]
) -> None:
    ada = await of_account(node, ann, mara)
    for name in ("News", "Offers"):
        await on_list(node, kim, name, ada)
    await mara.call("crm.contacts.opt_out", contact=ada, list="News")
    await kim.call("crm.segments.create", name="Segment", filter=_LISTS)
    await kim.call("crm.segments.create", name="Segment of a segment", filter={"lists": {"_has_any": ["Segment"]}})
    await kim.call("crm.segments.check", list="Segment")
    await node.works.run_due()
    await kim.call("crm.lists.copy", list="News")
    await kim.call("crm.lists.copy", list="Segment", name="Copy of a segment")
    await kim.call("crm.lists.intersect", lists=["News", "Offers"], name="Both")
    for name in ("Merged", "Selected"):
        await kim.call("crm.lists.create", name=name)
    await kim.call("crm.lists.merge", sources=["News"], into="Merged")
    await kim.call("crm.lists.add", list="Selected", select={"in_list": "News"})
    await node.works.run_due()
    figures = (await send(node, kim, contacts=contacts))["figures"]
    assert (figures["audience"], figures["opted_out"], figures["sent"]) == (1, 1, 0)


@pytest.mark.parametrize(
    "contacts",
    [
        {"all": True},
        {"in_list": "Offers"},
        {"filter": {"_and": [{"lists": {"_has_any": ["Offers"]}}, {"_not": {"lists": {"_has_any": ["Press"]}}}]}},
        {"filter": {"lists": {"_has_none": ["Press"]}}},
    ],
)
async def test_opt_outs_of_other_lists_do_not_matter(
    node: Node, mara: User, kim: User, ann: User, contacts: dict[str, Any]
) -> None:
    """Nor does a merge take anything from a contact that was on the other list before."""
    ada = await of_account(node, ann, mara)
    await on_list(node, kim, "Offers", ada)
    await on_list(node, kim, "Old", ada)
    await on_list(node, kim, "Press")
    for name in ("Old", "Press"):
        await mara.call("crm.contacts.opt_out", contact=ada, list=name)
    await kim.call("crm.lists.merge", sources=["Old"], into="Offers")
    assert (await send(node, kim, contacts=contacts))["figures"]["sent"] == 1


async def test_the_selection_means_the_same_once_lists_have_other_names(
    node: Node, mara: User, kim: User, ann: User
) -> None:
    ada = await of_account(node, ann, mara)
    await on_list(node, kim, "News", ada)
    made = await create(kim, contacts={"in_lists": ["News"]})
    await kim.call("crm.lists.update", list="News", name="Weekly")
    assert (await run_work(node, made["work"]))["status"] == "done"
    assert await ann.reads(await talk_of(node, ann)) == ["news"]


async def test_the_result_of_the_work_says_what_became_of_whom(node: Node, mara: User, kim: User, ann: User) -> None:
    await of_account(node, ann, mara)
    await contact(node, "out@example.org", opted_out_at=1)
    await contact(node, "nobody@example.org")
    work = await run_work(node, (await create(kim))["work"])
    assert work["result"] == {"sent": 1, "opted_out": 1, "unreachable": 1}


async def test_two_contacts_with_one_account_get_it_once(node: Node, mara: User, kim: User, ann: User) -> None:
    await of_account(node, ann, mara)
    other = await contact(node, "other@example.org")
    made = await create(kim)
    await node.works.run_due()
    key = await key_of(node, other)

    def as_other(tx: Transaction) -> None:  # as if the identity had moved while it was being sent
        tx.execute("UPDATE crm_identities SET contact = ?", (key,))
        tx.execute("UPDATE crm_deliveries SET state = 'waiting' WHERE contact = ?", (key,))
        go_back_to_sending(tx, made, "waiting")

    await node.core.db.write(as_other)
    assert (await run_work(node, made["work"]))["status"] == "done"
    assert await ann.reads(await talk_of(node, ann)) == ["news"]
    assert (await figures_of(kim, made))["unreachable"] == {"conflict": 1}


def go_back_to_sending(tx: Transaction, made: dict[str, Any], status: str) -> None:
    """As if the broadcast had been interrupted."""
    tx.execute("UPDATE crm_broadcasts SET state = 'sending', ended_at = NULL")
    arguments = json.dumps({"broadcast": made["broadcast"]})
    tx.execute("UPDATE work SET status = ?, ended_at = NULL, arguments = ?", (status, arguments))


async def test_the_audience_is_that_of_the_beginning(node: Node, mara: User, kim: User, ann: User, bob: User) -> None:
    first = await of_account(node, ann, mara, city="Paris")
    made = await create(kim, contacts={"filter": {"city": {"_eq": "Paris"}}})
    await node.works.run_due()
    await of_account(node, bob, mara, city="Paris")
    assert [each["contact"] for each in (await deliveries(kim, made))] == [first]


async def deliveries(who: User, made: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    return (await who.call("crm.broadcasts.deliveries", broadcast=made["broadcast"], **fields))["deliveries"]


async def test_who_read_it_as_far_as_they_let_others_know(
    node: Node, mara: User, kim: User, ann: User, bob: User
) -> None:
    for who in (ann, bob):
        await of_account(node, who, mara)
    made = (await send(node, kim))["broadcast"]
    await bob.call("conversations.settings", conversation=await talk_of(node, bob), receipts=False)
    for who in (ann, bob):
        talk = await talk_of(node, who)
        await who.call("receipts.read", conversation=talk, seq=1)
    figures = (await kim.call("crm.broadcasts.get", broadcast=made["broadcast"]))["figures"]
    assert (figures["sent"], figures["read"]) == (2, 1)
    assert [each.get("read") for each in await deliveries(kim, made, state="sent")] == [True, None]


async def figures_of(who: User, made: dict[str, Any]) -> dict[str, Any]:
    return (await who.call("crm.broadcasts.get", broadcast=made["broadcast"]))["figures"]


async def test_figures_stay_when_accounts_are_erased(node: Node, mara: User, kim: User, ann: User, bob: User) -> None:
    for who in (ann, bob):
        await of_account(node, who, mara)
    made = (await send(node, kim))["broadcast"]
    await ann.says(await talk_of(node, ann), "thank you")
    await node.consumers.catch_up()
    before = await figures_of(kim, made)
    assert (before["read"], before["answered"]) == (1, 1)
    await node.call("people.erase", person="ann", handle="ann")
    assert await count(node, "SELECT count(*) FROM crm_contacts") == 1
    assert await figures_of(kim, made) == before


async def test_figures_stay_when_contacts_are_merged(node: Node, mara: User, kim: User, ann: User, bob: User) -> None:
    ada, other = [await of_account(node, who, mara) for who in (ann, bob)]
    made = (await send(node, kim))["broadcast"]
    before = await figures_of(kim, made)
    merge = (await mara.call("crm.contacts.merge", contact=ada, other=other))["merge"]
    assert await figures_of(kim, made) == before
    await bob.call("receipts.read", conversation=await talk_of(node, bob), seq=1)
    await mara.call("crm.contacts.unmerge", merge=merge)
    assert await figures_of(kim, made) == before | {"read": 1}
    assert await count(node, "SELECT count(*) FROM crm_delivered") == 0


async def halted(node: Node, kim: User, *settled: str) -> dict[str, Any]:
    """A broadcast that was paused when these contacts had been dealt with, and all others still waited."""
    made = await create(kim, contacts={"ids": [*settled]})
    await node.works.run_due()

    def go_back(tx: Transaction) -> None:
        go_back_to_sending(tx, made, "paused")
        tx.execute(
            "INSERT INTO crm_deliveries (broadcast, contact, state) SELECT b.key, c.key, 'waiting' "
            "FROM crm_broadcasts b JOIN crm_contacts c "
            "WHERE NOT EXISTS (SELECT 1 FROM crm_deliveries WHERE contact = c.key)"
        )

    await node.core.db.write(go_back)
    return made


async def resumed(node: Node, kim: User, made: dict[str, Any]) -> dict[str, Any]:
    await kim.call("crm.broadcasts.resume", broadcast=made["broadcast"])
    await run_work(node, made["work"])
    return await figures_of(kim, made)


async def test_who_waits_still_gets_it_when_merged_into_who_could_not_be_reached(
    node: Node, mara: User, kim: User, ann: User
) -> None:
    without, other = await contact(node, "a@example.org"), await of_account(node, ann, mara)
    made = await halted(node, kim, without)
    await mara.call("crm.contacts.merge", contact=without, other=other)
    figures = await resumed(node, kim, made)
    assert (figures["audience"], figures["sent"], figures["unreachable"]) == (2, 1, {"no_account": 1})
    assert await ann.reads(await talk_of(node, ann)) == ["news"]


async def test_who_got_it_has_got_it_when_merged_into_who_waits(node: Node, mara: User, kim: User, ann: User) -> None:
    waiting, other = await contact(node, "a@example.org"), await of_account(node, ann, mara)
    made = await halted(node, kim, other)
    await mara.call("crm.contacts.merge", contact=waiting, other=other)
    figures = await resumed(node, kim, made)
    assert (figures["audience"], figures["sent"], figures["unreachable"]) == (2, 1, {"conflict": 1})
    assert await ann.reads(await talk_of(node, ann)) == ["news"]


async def test_a_merge_from_before_the_better_delivery_stayed(
    node: Node, mara: User, kim: User, ann: User, bob: User
) -> None:
    """Then the one of the contact that was kept stayed, and of the other one no numbers."""
    ada, other = [await of_account(node, who, mara) for who in (ann, bob)]
    made = (await send(node, kim))["broadcast"]
    before = await figures_of(kim, made)
    merge = (await mara.call("crm.contacts.merge", contact=ada, other=other))["merge"]

    def as_then(tx: Transaction) -> None:
        tx.execute("UPDATE crm_merges SET before = json_remove(before, '$.other.crm_delivered')")
        tx.execute("DELETE FROM crm_delivered")

    await node.core.db.write(as_then)
    await mara.call("crm.contacts.unmerge", merge=merge)
    assert await figures_of(kim, made) == before


def test_broadcasts_under_way_keep_to_the_opt_outs_of_their_list(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    columns = "key, id, title, text, bot, selection, list, per_minute, zone, starts_at, state, created_at"
    for step in steps_in("chatnode_crm"):
        if "CREATE TABLE crm_broadcast_lists" in step.sql:
            connection.execute(
                f"INSERT INTO crm_broadcasts ({columns}) VALUES "
                "(1, 'a', '', '', '', '{}', 7, 1, 'UTC', 0, 'sending', 0), "
                "(2, 'b', '', '', '', '{}', NULL, 1, 'UTC', 0, 'sending', 0)"
            )
        connection.executescript(step.sql)
    assert connection.execute("SELECT broadcast, list FROM crm_broadcast_lists").fetchall() == [(1, 7)]
    connection.close()


async def test_nobody_waits_for_a_broadcast_that_is_over(
    node: Node, mara: User, kim: User, ann: User, bob: User
) -> None:
    ada, other = [await of_account(node, who, mara) for who in (ann, bob)]
    made = await halted(node, kim, ada)
    merge = (await mara.call("crm.contacts.merge", contact=ada, other=other))["merge"]
    before = await resumed(node, kim, made)
    await mara.call("crm.contacts.unmerge", merge=merge)
    after = await figures_of(kim, made)
    assert after == before
    assert (after["audience"], after["waiting"], after["sent"], after["unreachable"]) == (2, 0, 1, {"conflict": 1})


async def test_figures_stay_when_contacts_are_erased(node: Node, mara: User, kim: User, ann: User, bob: User) -> None:
    ada, _ = [await of_account(node, who, mara) for who in (ann, bob)]
    made = (await send(node, kim))["broadcast"]
    await ann.says(await talk_of(node, ann), "thank you")
    await node.consumers.catch_up()
    before = (await kim.call("crm.broadcasts.get", broadcast=made["broadcast"]))["figures"]
    assert (before["read"], before["answered"]) == (1, 1)
    await mara.call("crm.contacts.erase", contact=ada, confirm=ada)
    assert (await kim.call("crm.broadcasts.get", broadcast=made["broadcast"]))["figures"] == before
    assert await count(node, "SELECT count(*) FROM crm_deliveries") == 1


async def test_paused_resumed_and_cancelled(node: Node, mara: User, kim: User, ann: User) -> None:
    await of_account(node, ann, mara)
    made = await create(kim)
    of = {"broadcast": made["broadcast"]}
    await kim.call("crm.broadcasts.pause", **of)
    await node.works.run_due()
    assert (await kim.call("crm.broadcasts.get", **of))["paused"] is True
    assert await count(node, "SELECT count(*) FROM messages") == 0
    await mara.call("crm.broadcasts.resume", **of)  # whoever may send broadcasts
    await node.works.run_due()
    assert await count(node, "SELECT count(*) FROM messages") == 1
    with refused("conflict", "broadcast"):
        await kim.call("crm.broadcasts.pause", **of)

    later = await create(kim)
    cancelled = await kim.call("crm.broadcasts.cancel", broadcast=later["broadcast"])
    assert cancelled["broadcast"]["state"] == "cancelled"
    await node.works.run_due()
    assert await count(node, "SELECT count(*) FROM messages") == 1


async def test_a_bot_that_cannot_post_makes_nobody_unreachable(node: Node, mara: User, kim: User, ann: User) -> None:
    await of_account(node, ann, mara)
    made = await create(kim)
    await node.call("people.deactivate", person="news")
    work = await run_work(node, made["work"])
    assert (work["status"], "deactivated" in work["error"]) == ("failed", True)
    assert [each["state"] for each in await deliveries(kim, made)] == ["waiting"]
    of_it = {"broadcast": made["broadcast"]}
    assert "deactivated" in (await kim.call("crm.broadcasts.get", **of_it))["broadcast"]["error"]
    await node.call("people.reactivate", person="news")
    await kim.call("crm.broadcasts.resume", **of_it)
    await run_work(node, made["work"])
    shown = (await kim.call("crm.broadcasts.get", **of_it))["broadcast"]
    assert (shown["state"], "error" in shown) == ("done", False)


async def test_a_broadcast_to_a_broken_segment_says_why_it_is_not_sent(node: Node, mara: User, kim: User) -> None:
    await mara.call("crm.tags.create", name="VIP")
    await kim.call("crm.segments.create", name="VIPs", filter={"tags": {"_has_any": ["VIP"]}})
    made = await create(kim, contacts={"in_list": "VIPs"})
    await mara.call("crm.tags.delete", tag="VIP")
    assert (await run_work(node, made["work"]))["status"] == "failed"
    shown = (await kim.call("crm.broadcasts.get", broadcast=made["broadcast"]))["broadcast"]
    assert (shown["state"], "names no tag" in shown["error"]) == ("snapshot", True)


async def test_who_may_and_what_is_refused(node: Node, mara: User, vic: User, kim: User, ann: User) -> None:
    for who in (vic, ann):
        with refused("forbidden"):
            await create(who)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"contacts": {}}, "contacts"),
        ({"per_minute": 60_000_000}, "per_minute"),
        ({"window": {"opens": "9:00", "closes": "18:00"}}, "window.opens"),
        ({"window": {"opens": "09:00", "closes": "09:00"}}, "window.closes"),
        ({"window": {"opens": "09:00", "closes": "18:00", "zone": "Mars/Olympus"}}, "window.zone"),
        ({"starts_at": "tomorrow"}, "starts_at"),
        ({"starts_at": "2026-11-21T10:00:00"}, "starts_at"),
        ({"starts_at": "2026-W47-6T10:00:00Z"}, "starts_at"),
        ({"starts_at": "0001-01-01T00:00:00+02:00"}, "starts_at"),
        ({"starts_at": "9999-12-31T23:59:59-02:00"}, "starts_at"),
        ({"starts_at": "2999-11-21T10:00:00Z"}, "starts_at"),
    ]
    for fields, path in wrong:
        with refused("invalid", path):
            await create(kim, **fields)
    with refused("not_found", "broadcast"):
        await kim.call("crm.broadcasts.get", broadcast="0" * 32)
    assert await rows(node, "SELECT * FROM crm_broadcasts") == []


async def test_a_broadcast_whose_work_was_cancelled_is_cancelled(node: Node, kim: User) -> None:
    made = await create(kim)
    await kim.call("work.cancel", work=made["work"])
    shown = (await kim.call("crm.broadcasts.get", broadcast=made["broadcast"]))["broadcast"]
    assert (shown["state"], "ended_at" in shown) == ("cancelled", True)


async def test_a_broadcast_outlives_who_made_it(node: Node, kim: User, mara: User) -> None:
    """Their works go when they are erased; the broadcast can be looked at, and ended."""
    made = await create(kim)
    of_it = {"broadcast": made["broadcast"]}
    await node.call("people.erase", person="kim", handle="kim")
    assert (await mara.call("crm.broadcasts.get", **of_it))["broadcast"]["state"] == "snapshot"
    with refused("conflict", "broadcast"):
        await mara.call("crm.broadcasts.resume", **of_it)
    assert (await mara.call("crm.broadcasts.cancel", **of_it))["broadcast"]["state"] == "cancelled"


@pytest.mark.parametrize("config", [configured(limits={"message_chars": 60})])
async def test_a_text_that_cannot_be_posted_is_refused(node: Node, kim: User) -> None:
    with refused("invalid", "text"):
        await create(kim, " \n ")
    with refused("too_large", "text"):
        await create(kim, "x" * 59)
