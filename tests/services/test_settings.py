"""A person's own settings of a conversation: nobody else's business, and kept apart for each."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.model.times import now_ms, rfc3339
from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused
from tests.test_times import NO_TIMES

from .dialogue import assert_sound

DEFAULTS = {
    "notify": "all", "desktop": True, "mobile": True, "sounds": True, "receipts": True, "starred": False,
    "archived": False,
}  # fmt: skip
HOURS_8 = 8 * 3_600_000

#: What is asked for → field and value of `conversation_settings` in the filter language.
SHOWN: list[tuple[dict[str, Any], str, Any]] = [
    *(({"colour": each}, "color_tag", each.upper()) for each in ("red", "orange", "yellow", "green", "blue", "purple")),
    ({"starred": True}, "is_starred", True),
    ({"archived": True}, "is_archived", True),
    ({"notify": "mentions"}, "notification_type", "MENTIONS_ONLY"),
    ({"notify": "none"}, "notifications_enabled", False),
    ({"desktop": False}, "desktop_notifications", False),
    ({"mobile": False}, "mobile_notifications", False),
    ({"sounds": False}, "sound_enabled", False),
    ({"receipts": False}, "show_read_receipts", False),
    ({"label": "my supplier"}, "custom_label", "my supplier"),
    ({"muted_until": "9999-12-31T23:59:59.999Z"}, "is_muted", True),
]


async def row(who: User, collection: str, **filter: Any) -> dict[str, Any]:
    asked = {name: {"_eq": value} for name, value in filter.items()}
    (found,) = (await who.call("items.query", collection=collection, filter=asked))["data"]
    return found


async def test_all_is_as_by_default_until_somebody_says_otherwise(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    assert (await ann.call("conversations.settings", conversation=talk))["settings"] == DEFAULTS
    assert "settings" not in await ann.entry(talk)
    shown = await row(ann, "conversation_settings", conversation_id=talk)
    assert (shown["notification_type"], shown["notifications_enabled"], shown["show_read_receipts"]) == (
        "ALL", True, True,
    )  # fmt: skip
    assert (shown["color_tag"], shown["custom_label"], shown["is_starred"]) == (None, None, False)


@pytest.mark.parametrize(("asked", "field", "value"), SHOWN)
async def test_each_setting_is_kept_told_to_ones_own_devices_and_filtered_by(
    node: Node, ann: User, bob: User, asked: dict[str, Any], field: str, value: Any
) -> None:
    talk, other = await ann.direct(bob), await ann.group(bob)
    mine, theirs = await LiveSession.of(node, ann), await LiveSession.of(node, bob)
    given = (await ann.call("conversations.settings", conversation=talk, **asked))["settings"]
    assert given == DEFAULTS | asked
    await ann.call("conversations.settings", conversation=talk, **asked)  # the same again
    (push,) = mine.heard()
    assert (push["event"], push["conversation"], push["settings"]) == ("settings.changed", talk, given)
    assert theirs.heard() == []
    assert (await ann.entry(talk))["settings"] == given
    assert "settings" not in await bob.entry(talk)
    assert (await row(ann, "conversation_settings", **{field: value}))["conversation_id"] == talk
    assert (await row(bob, "conversation_settings", conversation_id=talk))[field] != value
    assert "settings" not in await ann.entry(other)


async def test_settings_are_taken_back_one_by_one(ann: User) -> None:
    notes = await ann.direct(ann)
    until = rfc3339(now_ms() + HOURS_8)
    await ann.call("conversations.settings", conversation=notes, colour="red", label="x", muted_until=until)
    taken = (await ann.call("conversations.settings", conversation=notes, colour="", label=""))["settings"]
    assert taken == DEFAULTS | {"muted_until": until}
    taken = (await ann.call("conversations.settings", conversation=notes, muted_until=""))["settings"]
    assert taken == DEFAULTS


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31t23:59:59.9999z", "9999-12-31T23:59:59.999Z"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000Z"),
    ],
)
async def test_one_can_mute_until_any_time_of_the_calendar(ann: User, said: str, kept: str) -> None:
    notes = await ann.direct(ann)
    given = (await ann.call("conversations.settings", conversation=notes, muted_until=said))["settings"]
    assert given["muted_until"] == (await ann.entry(notes))["settings"]["muted_until"] == kept


async def test_a_label_of_nothing_to_see_is_none(ann: User) -> None:
    notes = await ann.direct(ann)
    await ann.call("conversations.settings", conversation=notes, label="x")
    assert (await ann.call("conversations.settings", conversation=notes, label="\u200b "))["settings"] == DEFAULTS


async def test_muting_ends_by_itself(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    for until, muted in ((now_ms() + HOURS_8, True), (now_ms() - 1, False)):
        await ann.call("conversations.settings", conversation=talk, muted_until=rfc3339(until))
        mine = await row(ann, "chat_participants", conversation_id=talk, user_id="ann")
        assert (mine["is_muted"], mine["muted_until"]) == (muted, rfc3339(until))
        assert (await row(bob, "chat_participants", conversation_id=talk, user_id="ann"))["is_muted"] is None


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"colour": "pink"}, "colour"),
        ({"notify": "sometimes"}, "notify"),
        ({"label": "x" * 101}, "label"),
        ({"muted_until": "tomorrow"}, "muted_until"),
        ({"muted_until": "2026-02-30T00:00:00Z"}, "muted_until"),
        ({"starred": "yes"}, "starred"),
        *[({"muted_until": text}, "muted_until") for text in NO_TIMES if text],
    ],
)
async def test_what_is_no_setting_is_refused(ann: User, fields: dict[str, Any], path: str) -> None:
    notes = await ann.direct(ann)
    with refused("invalid", path):
        await ann.call("conversations.settings", conversation=notes, **fields)


# ---- archive and star


async def test_an_inbox_without_what_is_archived(ann: User, bob: User) -> None:
    """Each of the two archives for themself."""
    talk, room = await ann.direct(bob), await ann.group(bob)
    await bob.call("conversations.settings", conversation=talk, archived=True)

    async def inbox(who: User, **fields: Any) -> list[str]:
        return [each["conversation"] for each in (await who.call("inbox.list", **fields))["conversations"]]

    assert (await inbox(bob, archived=False), await inbox(bob, archived=True)) == ([room], [talk])
    assert await inbox(bob) == await inbox(ann, archived=False) == [room, talk]
    shown = await row(bob, "conversations", conversation_id=talk)
    assert (shown["initiator_archived"], shown["receiver_archived"], shown["is_archived"]) == (None, True, True)
    shown = await row(ann, "conversations", conversation_id=talk)
    assert (shown["initiator_archived"], shown["receiver_archived"], shown["is_archived"]) == (False, None, False)
    assert (await row(bob, "chat_participants", conversation_id=talk, user_id="bob"))["status"] == "ARCHIVED"
    assert (await row(ann, "chat_participants", conversation_id=talk, user_id="bob"))["status"] == "ACTIVE"


async def test_an_inbox_of_what_is_starred_or_unread(ann: User, bob: User) -> None:
    talk, room = await ann.direct(bob), await ann.group(bob)
    await bob.call("conversations.settings", conversation=talk, starred=True)
    await ann.says(room, "hello")
    for fields, expected in (({"starred": True}, talk), ({"starred": False}, room), ({"unread": True}, room)):
        page = await bob.call("inbox.list", **fields)
        assert [each["conversation"] for each in page["conversations"]] == [expected]


# ---- hiding how far one has read


async def test_who_hides_receipts_is_not_seen_to_read_until_they_post(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    message = await ann.says(talk, "seen?")
    await bob.call("conversations.settings", conversation=talk, receipts=False)
    anns, bobs = await LiveSession.of(node, ann), await LiveSession.of(node, bob)
    assert await bob.call("receipts.read", conversation=talk, seq=1) == {"seq": 1, "unread": 0}
    assert (anns.heard(), len(bobs.heard("receipt.read"))) == ([], 1)
    assert (await bob.entry(talk))["unread"] == 0

    async def seen() -> tuple[Any, ...]:
        page = await ann.call("conversations.members.list", conversation=talk)
        mark = next(each["read_seq"] for each in page["members"] if each["person"]["handle"] == "bob")
        listed = (await ann.call("receipts.list", message=message))["receipts"]
        status = (await row(ann, "message_reads", message_id=message))["status"]
        part = await row(ann, "chat_participants", conversation_id=talk, user_id="bob")
        return mark, listed, status, part["last_read_seq"], part["last_read_at"]

    assert await seen() == (0, [], "SENT", 0, None)
    await bob.says(talk, "yes")
    assert (await seen())[0] == 2
    assert (await seen())[2] == "READ"
    await assert_sound(node)


async def test_who_shows_them_again_is_seen_from_then_on(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    first, second = [await ann.says(talk, text) for text in ("one", "two")]
    await bob.call("conversations.settings", conversation=talk, receipts=False)
    await bob.call("receipts.read", conversation=talk, seq=1)
    await bob.call("conversations.settings", conversation=talk, receipts=True)
    assert (await ann.call("receipts.list", message=first))["receipts"] == []
    await bob.call("receipts.read", conversation=talk, seq=2)
    for message in (first, second):
        (receipt,) = (await ann.call("receipts.list", message=message))["receipts"]
        assert "read_at" in receipt
