"""The table `notifications_registrations`."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import orjson

from chatnode.api import HOUR_MS, Querying, Transaction, new_id, record, rfc3339, rfc3339_or_none
from chatnode_notifications.registrations.model import RegisteredDevice, RegistrationState
from chatnode_notifications.transports.addresses import origin_of
from chatnode_notifications.transports.transport import Content, DeviceAddress, SendResult, TransportName

SUSPENDED_AFTER_MS = 72 * HOUR_MS
"""How long sending to a device may fail, without one success, before its registration is suspended."""
_COLUMNS = (
    "key, id, person, session, transport, address, keys, label, content, state, failing_since, last_ok_at, last_error, "
    "vapid, created_at"
)
_SELECT = f"SELECT {_COLUMNS} FROM notifications_registrations "  # noqa: S608 -- constants
_INSERT = (
    "INSERT INTO notifications_registrations (id, person, session, transport, address, keys, label, content, state, "  # noqa: S608
    f"vapid, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'active', ?, ?) RETURNING {_COLUMNS}"
)
_RENEW = (
    "UPDATE notifications_registrations SET session = ?, keys = ?, label = ?, content = ?, vapid = ?, "  # noqa: S608
    "state = CASE WHEN state = 'failing' THEN state ELSE 'active' END, "
    "failing_since = CASE WHEN state = 'failing' THEN failing_since END, "
    f"last_error = CASE WHEN state = 'failing' THEN last_error END WHERE key = ? RETURNING {_COLUMNS}"
)

USABLE = (
    "(r.state = 'active' OR r.state = 'failing') AND (r.session IS NULL OR EXISTS (SELECT 1 FROM sessions s "
    "WHERE s.key = r.session AND s.person = r.person AND (s.expires_at IS NULL OR s.expires_at > :now))) "
    "AND EXISTS (SELECT 1 FROM people a WHERE a.key = r.person AND a.deactivated_at IS NULL AND a.bot = 0)"
)
"""SQL, a condition on `notifications_registrations r`: alerts may go there at the time `:now`."""


@record(frozen=True)
class RegistrationRow:
    """A row."""

    key: int
    id: str
    person: int
    session: int | None
    transport: TransportName
    address: str = attrs.field(repr=False)
    keys: str | None = attrs.field(repr=False)
    label: str
    content: Content | None
    state: RegistrationState
    failing_since: int | None
    last_ok_at: int | None
    last_error: str | None
    vapid: str | None
    created_at: int

    def target(self) -> DeviceAddress:
        """As transports take it."""
        keys: Mapping[str, str] = orjson.loads(self.keys) if self.keys else {}
        return DeviceAddress(self.key, self.id, self.person, self.session, self.transport, self.address, keys)

    def shown(self, session: int | None) -> RegisteredDevice:
        """As its user sees it, who asks with `session`."""
        return RegisteredDevice(
            self.id, self.transport, self.label, self.state, rfc3339(self.created_at),
            origin_of(self.address) or None, self.content, session is not None and session == self.session,
            rfc3339_or_none(self.failing_since), rfc3339_or_none(self.last_ok_at), self.last_error,
        )  # fmt: skip


@record(frozen=True)
class NewRegistration:
    """What a client registers, checked."""

    person: int
    session: int | None
    transport: TransportName
    address: str = attrs.field(repr=False)
    keys: Mapping[str, str] = attrs.field(repr=False)
    label: str
    content: Content | None
    vapid: str | None


# ---- finding


def find(reader: Querying, person: int, id: str) -> RegistrationRow | None:
    """A user's registration."""
    row = reader.execute(f"{_SELECT}WHERE id = ? AND person = ?", (id, person)).fetchone()
    return None if row is None else RegistrationRow(*row)


def at_address(reader: Querying, transport: str, address: str) -> RegistrationRow | None:
    """A registration, of whichever user."""
    row = reader.execute(f"{_SELECT}WHERE transport = ? AND address = ?", (transport, address)).fetchone()
    return None if row is None else RegistrationRow(*row)


def page(reader: Querying, person: int, after: int, limit: int) -> list[RegistrationRow]:
    """A user's registrations, oldest first."""
    rows = reader.execute(f"{_SELECT}WHERE person = ? AND key > ? ORDER BY key LIMIT ?", (person, after, limit))
    return [RegistrationRow(*row) for row in rows]


def count(reader: Querying, person: int) -> int:
    """How many a user has, but for those that are gone."""
    return reader.execute(
        "SELECT count(*) FROM notifications_registrations WHERE person = ? AND state <> 'gone'", (person,)
    ).fetchone()[0]


# ---- changing


def forget_gone(tx: Transaction, person: int, most: int) -> None:
    """Keep the newest `most` of a user's registrations that are gone: their services decide how many there are."""
    tx.execute(
        "DELETE FROM notifications_registrations WHERE person = :person AND state = 'gone' AND key <= ("
        "SELECT key FROM notifications_registrations WHERE person = :person AND state = 'gone' "
        "ORDER BY key DESC LIMIT 1 OFFSET :most)",
        {"person": person, "most": most},
    )


def insert(tx: Transaction, new: NewRegistration) -> RegistrationRow:
    """Its address must be free."""
    row = tx.execute(
        _INSERT,
        (new_id(), new.person, new.session, new.transport, new.address, _json(new.keys), new.label, new.content,
         new.vapid, tx.now),
    ).fetchone()  # fmt: skip
    return RegistrationRow(*row)


def renew(tx: Transaction, found: RegistrationRow, new: NewRegistration) -> RegistrationRow:
    """The same user registers it again: it is used again if it was suspended or gone."""
    keys, active = _json(new.keys), found.state in ("active", "failing")
    changed = (new.session, keys, new.label, new.content, new.vapid)
    if active and changed == (found.session, found.keys, found.label, found.content, found.vapid):
        return found
    return RegistrationRow(*tx.execute(_RENEW, (*changed, found.key)).fetchone())


def _json(keys: Mapping[str, str]) -> str | None:
    return orjson.dumps(dict(keys)).decode() if keys else None


def delete(tx: Transaction, key: int) -> None:
    """What is on its way to it is bounced by a trigger."""
    tx.execute("DELETE FROM notifications_registrations WHERE key = ?", (key,))


def note_success(tx: Transaction, key: int, now: int) -> None:
    """Something was delivered."""
    tx.execute(
        "UPDATE notifications_registrations SET state = 'active', failing_since = NULL, last_error = NULL, "
        "last_ok_at = ? WHERE key = ? AND state <> 'gone'",
        (now, key),
    )


def note_failure(tx: Transaction, key: int, why: str, now: int) -> None:
    """An attempt failed. After three days of failures nothing is sent any more."""
    tx.execute(
        "UPDATE notifications_registrations SET state = CASE WHEN failing_since <= :long THEN 'suspended' "
        "ELSE 'failing' END, failing_since = coalesce(failing_since, :now), last_error = :why "
        "WHERE key = :key AND state IN ('active', 'failing')",
        {"long": now - SUSPENDED_AFTER_MS, "now": now, "why": why, "key": key},
    )


def note_gone(tx: Transaction, key: int, why: str) -> None:
    """Its service says that it does not exist any more. Its secrets are of no more use."""
    tx.execute(
        "UPDATE notifications_registrations SET state = 'gone', keys = NULL, last_error = ? WHERE key = ?", (why, key)
    )


def record_result(tx: Transaction, key: int, result: SendResult, now: int) -> None:
    """What an attempt says about its registration."""
    if result.outcome == "sent":
        note_success(tx, key, now)
    elif result.outcome == "gone":
        note_gone(tx, key, result.why)
    elif result.outcome in ("retry", "rejected"):
        note_failure(tx, key, result.why, now)
