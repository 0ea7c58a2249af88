"""One message to many: who gets it, who does not, and what is known of it afterwards."""

from __future__ import annotations

from typing import Any

import pytest

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


async def test_two_contacts_with_one_account_get_it_once(node: Node, mara: User, kim: User, ann: User) -> None:
    await of_account(node, ann, mara)
    other = await contact(node, "other@example.org")
    made = await create(kim)
    await node.works.run_due()
    key = await key_of(node, other)

    def as_other(tx: Any) -> None:  # as if the identity had moved while it was being sent
        tx.execute("UPDATE crm_identities SET contact = ?", (key,))
        tx.execute("UPDATE crm_deliveries SET state = 'waiting' WHERE contact = ?", (key,))
        tx.execute("UPDATE crm_broadcasts SET state = 'sending'")

    await node.core.db.write(as_other)
    again = await node.core.db.write(
        lambda tx: tx.execute("UPDATE work SET status = 'waiting', ended_at = NULL").rowcount
    )
    assert again == 1
    await run_work(node, made["work"])
    assert await ann.reads(await talk_of(node, ann)) == ["news"]


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
