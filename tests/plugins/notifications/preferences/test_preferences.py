"""What users choose."""

from __future__ import annotations

from typing import Any

import pytest
from chatnode_notifications.preferences import stored

from chatnode.api import Transaction
from chatnode.node import Node
from chatnode.testing import LiveUser, User, refused
from tests.plugins.sql import rows

DEFAULTS: dict[str, Any] = {
    "quiet": [], "content": "full", "threads": True, "replies": True, "mentions_through_mute": False, "mail": "off",
    "digest": {"every": "daily", "at": "08:00", "weekday": "monday"},
}  # fmt: skip


async def settings(user: User, **fields: Any) -> dict[str, Any]:
    command = "notifications.settings.set" if fields else "notifications.settings.get"
    return (await user.call(command, **fields))["settings"]


async def test_what_is_left_out_stays(node: Node, ben: User) -> None:
    assert await settings(ben) == DEFAULTS
    night = {"begins": "22:00", "ends": "07:00", "days": ["friday"]}
    changed = await settings(
        ben, zone="Europe/Paris", quiet=[night], paused_until="2090-01-01T01:00:00+01:00", content="sender",
        language="pt-BR",
    )  # fmt: skip
    assert changed == await settings(ben)
    assert changed == DEFAULTS | {
        "zone": "Europe/Paris", "quiet": [night], "paused_until": "2090-01-01T00:00:00.000Z", "content": "sender",
        "language": "pt-BR",
    }  # fmt: skip
    weekly = {"every": "weekly", "at": "09:30", "weekday": "sunday"}
    assert await settings(ben, mail="digest", digest=weekly) == changed | {"mail": "digest", "digest": weekly}
    cleared = await settings(ben, zone="", quiet=[], paused_until="", content="full", language="", mail="off")
    assert cleared == DEFAULTS | {"digest": weekly}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"quiet": [{"begins": "24:00", "ends": "07:00"}]}, "quiet.0.begins"),
        ({"quiet": [{"begins": "22:00", "ends": "7:00"}]}, "quiet.0.ends"),
        ({"quiet": [{"begins": "22:00", "ends": "07:00", "days": []}]}, "quiet.0.days"),
        ({"quiet": [{"begins": "22:00", "ends": "07:00", "days": ["someday"]}]}, "quiet.0.days.0"),
        ({"quiet": [{"begins": "22:00", "ends": "07:00"}] * 15}, "quiet"),
        ({"paused_until": "tomorrow"}, "paused_until"),
        ({"paused_until": "2026-11-21T10:17:06"}, "paused_until"),
        ({"paused_until": "20901121T101706Z"}, "paused_until"),
        ({"paused_until": "0001-01-01T00:00:00+02:00"}, "paused_until"),
        ({"paused_until": "9999-12-31T23:59:59-10:00"}, "paused_until"),
        ({"content": "everything"}, "content"),
        ({"mail": "always"}, "mail"),
        ({"digest": {"every": "yearly"}}, "digest.every"),
        ({"language": "not a language"}, "language"),
    ],
)
async def test_what_cannot_be(node: Node, ben: User, fields: dict[str, Any], path: str) -> None:
    with refused("invalid", path):
        await settings(ben, **fields)
    assert await settings(ben) == DEFAULTS


async def test_the_own_devices_hear_of_it_and_a_repeat_is_none(node: Node, bob: LiveUser, eve: LiveUser) -> None:
    changed = await settings(bob, zone="Asia/Tokyo")
    assert (await bob.hears("notifications.settings_changed"))["settings"] == changed
    assert await settings(bob, zone="Asia/Tokyo") == changed
    assert len(bob.heard("notifications.settings_changed")) == 1
    assert eve.heard("notifications.settings_changed") == []


async def test_other_parts_follow(node: Node, ben: User, monkeypatch: pytest.MonkeyPatch) -> None:
    followed: list[tuple[int, str]] = []

    def follow(tx: Transaction, person: int) -> None:
        followed.append((person, stored.preferences_of_one(tx, person).mail))

    monkeypatch.setattr(stored, "_changed", (follow,))
    await settings(ben, mail="digest")
    await settings(ben, mail="digest")
    assert followed == [(ben.key, "digest")]


async def test_the_export_has_them(node: Node, ben: User) -> None:
    await settings(ben, zone="Asia/Tokyo")
    assert await rows(node, "SELECT zone FROM notifications_people") == [("Asia/Tokyo",)]
