"""Users' choices as they are stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import attrs
import orjson

from chatnode.api import Querying, Refusal, Transaction, json_array, milliseconds, rfc3339, rfc3339_or_none, zone_of
from chatnode_notifications.preferences.model import DigestTime, Preferences, QuietWindow, SetPreferences

Changed = Callable[[Transaction, int], None]
"""Called in the transaction in which a user, by key, has chosen other settings."""

_changed: tuple[Changed, ...] = ()
_COLUMNS = "zone, quiet, paused_until, content, threads, replies, mentions_through_mute, mail, digest, language"


def also_when_changed(functions: Sequence[Changed]) -> None:
    """Call these, in this order, when a user has changed their settings. Part of the declaration: called once, on
    import."""
    global _changed
    _changed = tuple(functions)


def preferences_of(reader: Querying, people: Collection[int]) -> dict[int, Preferences]:
    """The settings of those of the users, by key, who have chosen any; `Preferences()` are those of the others."""
    rows = reader.execute(
        f"SELECT person, {_COLUMNS} FROM notifications_people WHERE person IN (SELECT value FROM json_each(?))",  # noqa: S608
        (json_array(people),),
    )
    return {person: _from_row(row) for person, *row in rows}


def preferences_of_one(reader: Querying, person: int) -> Preferences:
    """A user's settings."""
    return preferences_of(reader, [person]).get(person) or Preferences()


def change(tx: Transaction, person: int, asked: SetPreferences) -> Preferences | None:
    """Store what a user chooses. Returns the new settings, or None if they are as before.

    Raises `Refusal("invalid")` for a zone that does not exist, a time that is none and a window of no days.
    """
    before = preferences_of_one(tx, person)
    after = attrs.evolve(before, **_choices(asked))
    if after == before:
        return None
    tx.execute(
        f"INSERT INTO notifications_people (person, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
        "ON CONFLICT (person) DO UPDATE SET zone = excluded.zone, quiet = excluded.quiet, "
        "paused_until = excluded.paused_until, content = excluded.content, threads = excluded.threads, "
        "replies = excluded.replies, mentions_through_mute = excluded.mentions_through_mute, mail = excluded.mail, "
        "digest = excluded.digest, language = excluded.language",
        (
            person, after.zone, orjson.dumps([attrs.asdict(each) for each in after.quiet]).decode(),
            milliseconds(after.paused_until) if after.paused_until is not None else None, after.content, after.threads,
            after.replies, after.mentions_through_mute, after.mail,
            orjson.dumps(attrs.asdict(after.digest)).decode(), after.language,
        ),
    )  # fmt: skip
    for function in _changed:
        function(tx, person)
    return after


def read_digest(text: str | None) -> DigestTime:
    """The column `digest` of `notifications_people`."""
    return DigestTime(**orjson.loads(text)) if text else DigestTime()


def _choices(asked: SetPreferences) -> dict[str, Any]:
    """What is asked for, by the fields of `Preferences`. Raises `Refusal("invalid")`."""
    found = {
        field.name: value for field in attrs.fields(SetPreferences) if (value := getattr(asked, field.name)) is not None
    }
    if found.get("zone") and zone_of(found["zone"]) is None:
        raise Refusal(
            "invalid", f"this node knows no time zone {found['zone']!r}; expected one such as Europe/Paris", path="zone"
        )
    for number, window in enumerate(found.get("quiet", ())):
        if window.days == []:
            raise Refusal(
                "invalid", "the window has no days; leave days out for every day", path=f"quiet.{number}.days"
            )
    if found.get("paused_until"):
        found["paused_until"] = rfc3339(milliseconds(found["paused_until"]))
    return {name: None if value == "" else value for name, value in found.items()}


def _from_row(row: Sequence[Any]) -> Preferences:
    zone, quiet, paused_until, content, threads, replies, through_mute, mail, digest, language = row
    return Preferences(
        zone, [QuietWindow(**each) for each in orjson.loads(quiet)] if quiet else [],
        rfc3339_or_none(paused_until), content, bool(threads), bool(replies),
        bool(through_mute), mail, read_digest(digest), language,
    )  # fmt: skip
