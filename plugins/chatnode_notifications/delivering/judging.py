"""Whether a claimed delivery is still to be sent, and what it says; judged at each attempt, from the tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from chatnode.api import Querying, Reader, Transaction, json_array, record
from chatnode_notifications import notes
from chatnode_notifications.deciding.judging import paused_until
from chatnode_notifications.deciding.quiet import quiet_until
from chatnode_notifications.delivering.rows import ClaimedDelivery, DeliveryState
from chatnode_notifications.notes import Note
from chatnode_notifications.preferences.stored import preferences_of
from chatnode_notifications.registrations.rows import USABLE, RegistrationRow
from chatnode_notifications.transports import TRANSPORTS
from chatnode_notifications.transports.contents import least_of
from chatnode_notifications.transports.transport import Alert, Content, DeviceAddress

MOST_READ = 20
"""Conversations that an alert says were read."""
_LOOKED_BACK = 100
"""Deliveries of a device among which these are looked for."""
_MOST_HELD_MS = 43_200_000
"""Until it is judged again. Less than `rows.claim` takes for the fault of a clock."""
_AFTER_NEWER_MS = 1_000
_QUIET = "the user has paused notifications, or has quiet hours"


@record(frozen=True)
class Ready:
    """A delivery to send now."""

    claimed: ClaimedDelivery
    to: DeviceAddress
    alert: Alert


@record(frozen=True)
class SettledDelivery:
    """A delivery that is not sent, and why. `transport` is None if its registration is no more."""

    claimed: ClaimedDelivery
    state: DeliveryState
    why: str
    transport: str | None = None


@record(frozen=True)
class HeldDelivery:
    """A delivery that is judged again at `until`, in milliseconds, and why it is not sent before."""

    claimed: ClaimedDelivery
    until: int
    why: str


Judged = Ready | SettledDelivery | HeldDelivery


@record(frozen=True)
class SendingRules:
    """What the node adds: times are in milliseconds. `epoch` tells apart ids of a node that was restored."""

    now: int
    most_age: int
    max_content: Content
    transports: Collection[str]
    base_url: str
    epoch: str


@record(frozen=True)
class _Device:
    row: RegistrationRow
    usable: bool
    content: Content


def judge(reader: Reader, claimed: Sequence[ClaimedDelivery], rules: SendingRules) -> list[Judged]:
    """In one snapshot, so that an alert and its badge agree."""
    told = notes.notes_of(reader, {each.item for each in claimed}, rules.base_url)
    devices = _devices(reader, {each.registration for each in claimed}, rules.now)
    people = {note.person for note in told.values()}
    badges, quiet = _badges(reader, people), _quiet(reader, people, rules.now)
    newer = _newer(reader, [each.key for each in claimed])
    found: list[Judged] = []
    for each in claimed:
        device, note = devices.get(each.registration), told.get(each.item)
        why = _why_not(device, note, rules)
        if why is not None or device is None or note is None:
            state, text = why or ("bounced", "the device was removed")
            found.append(SettledDelivery(each, state, text, device.row.transport if device is not None else None))
        elif note.person in quiet:
            found.append(HeldDelivery(each, min(quiet[note.person], rules.now + _MOST_HELD_MS), _QUIET))
        elif each.key not in newer:
            read = _read(reader, each.registration, note.conversation)
            found.append(Ready(each, device.row.target(), _alert(each, note, device, badges, read, rules)))
        elif (due := newer[each.key]) is None:
            found.append(SettledDelivery(each, "suppressed", "a newer notification covers it", device.row.transport))
        else:
            # The older, the longer: of many that wait in an outage, few are judged again at a time.
            until = max(due + _AFTER_NEWER_MS, rules.now + (rules.now - note.created_at) // 2)
            found.append(HeldDelivery(each, min(until, rules.now + _MOST_HELD_MS), "a newer one will cover it"))
    return found


def judge_held_soon(tx: Transaction, person: int) -> None:
    """The user has chosen other settings: judge again what waits for the end of a pause or of quiet hours."""
    tx.execute(
        "UPDATE notifications_deliveries SET due_at = :now WHERE state = 'pending' AND due_at > :now AND error = :why "
        "AND (SELECT i.person FROM notifications_items i WHERE i.key = item) = :person",
        {"now": tx.now, "why": _QUIET, "person": person},
    )


def _why_not(device: _Device | None, note: Note | None, rules: SendingRules) -> tuple[DeliveryState, str] | None:
    if device is None or (note is not None and device.row.person != note.person):
        return "bounced", "the device was removed"
    if device.row.transport not in rules.transports:
        return "failed", f"this node no longer notifies by {device.row.transport}"
    if not device.usable:
        suspended = device.row.state in ("gone", "suspended")
        return "bounced", f"the device is {device.row.state}" if suspended else "the device is signed out"
    if note is None:
        return "suppressed", "read, deleted or unwanted meanwhile"
    if note.created_at + rules.most_age <= rules.now:
        return "expired", "too old"
    return None


def _alert(
    each: ClaimedDelivery,
    note: Note,
    device: _Device,
    badges: Mapping[int, int],
    read: Mapping[str, int],
    rules: SendingRules,
) -> Alert:
    usual = TRANSPORTS[device.row.transport].usual_content
    return Alert(
        f"ntf_{rules.epoch[:8]}_{each.key}", note,
        least_of(rules.max_content, device.content, device.row.content or usual),
        badges.get(note.person, 0), read, note.created_at + rules.most_age,
    )  # fmt: skip


def _devices(reader: Querying, keys: Collection[int], now: int) -> dict[int, _Device]:
    rows = reader.execute(
        f"SELECT {USABLE}, coalesce((SELECT w.content FROM notifications_people w WHERE w.person = r.person), 'full'), "  # noqa: S608
        "r.key, r.id, r.person, r.session, r.transport, r.address, r.keys, r.label, r.content, r.state, "
        "r.failing_since, r.last_ok_at, r.last_error, r.vapid, r.created_at "
        "FROM notifications_registrations r WHERE r.key IN (SELECT value FROM json_each(:keys))",
        {"keys": json_array(keys), "now": now},
    )
    devices = (_Device(RegistrationRow(*row), bool(usable), content) for usable, content, *row in rows)
    return {each.row.key: each for each in devices}


def _badges(reader: Querying, people: Collection[int]) -> dict[int, int]:
    """The number of conversations in which each has unread notifications."""
    rows = reader.execute(
        "SELECT item.person, count(DISTINCT item.conversation) FROM notifications_items item "  # noqa: S608 -- constants
        "WHERE item.person IN (SELECT value FROM json_each(?)) AND item.read_at IS NULL "
        f"AND EXISTS (SELECT 1 {notes.UNREAD.found}) GROUP BY item.person",
        (json_array(people),),
    )
    return dict(rows.fetchall())


def _quiet(reader: Querying, people: Collection[int], now: int) -> dict[int, int]:
    """Until when those have silence who have paused, or have quiet hours now: they may have begun after a delivery was
    added."""
    found: dict[int, int] = {}
    for person, chosen in preferences_of(reader, people).items():
        until = max(paused_until(chosen) or 0, quiet_until(chosen.quiet, chosen.zone, now) or 0)
        if until > now:
            found[person] = until
    return found


def _newer(reader: Querying, keys: Collection[int]) -> dict[int, int | None]:
    """Those about whose conversation a newer one, at least as important, tells the same device: None if the newest of
    these was sent, and else when it is due, because its message may yet be deleted.

    A program at the end of a webhook is told of each.
    """
    rows = reader.execute(
        "SELECT d.key, CASE n.state WHEN 'pending' THEN n.due_at END FROM notifications_deliveries d "  # noqa: S608
        "JOIN notifications_deliveries n ON n.key = (SELECT o.key FROM notifications_items older, "
        "notifications_deliveries o JOIN notifications_items item ON item.key = o.item WHERE older.key = d.item "
        "AND o.registration = d.registration AND o.key > d.key AND o.state IN ('pending', 'sent') "
        f"AND item.conversation = older.conversation AND {notes.SEEN.personal} >= older.personal "
        "ORDER BY o.key DESC LIMIT 1) "
        "JOIN notifications_registrations r ON r.key = d.registration AND r.transport <> 'webhook' "
        "WHERE d.key IN (SELECT value FROM json_each(?))",
        (json_array(keys),),
    )
    return dict(rows.fetchall())


def _read(reader: Querying, registration: int, but: str | None) -> dict[str, int]:
    """Conversations of which the device may still show notifications although they were read, and how far."""
    rows = reader.execute(
        "SELECT c.id, m.read_seq FROM (SELECT i.person, i.conversation, max(d.key) AS newest, max(i.last_seq) AS seq "
        "FROM (SELECT key, item FROM notifications_deliveries WHERE registration = :registration AND state = 'sent' "
        "ORDER BY key DESC LIMIT :looked) d JOIN notifications_items i ON i.key = d.item "
        "WHERE i.conversation IS NOT NULL GROUP BY i.person, i.conversation) t "
        "JOIN members m ON m.person = t.person AND m.conversation = t.conversation AND m.read_seq >= t.seq "
        "JOIN conversations c ON c.key = t.conversation WHERE c.id IS DISTINCT FROM :but "
        "ORDER BY t.newest DESC LIMIT :most",
        {"registration": registration, "looked": _LOOKED_BACK, "but": but, "most": MOST_READ},
    )
    return dict(rows.fetchall())
