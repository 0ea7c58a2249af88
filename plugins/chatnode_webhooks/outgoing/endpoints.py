"""Endpoints in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import attrs
import orjson

from chatnode.api import Querying, Refusal, Transaction, bot_owner, json_array, record

Format = Literal["standard", "seed"]
State = Literal["active", "paused", "stalled", "disabled", "removed"]
Notice = Literal["failing", "disabled"]


def _read_kinds(stored: str | tuple[str, ...]) -> tuple[str, ...]:
    return stored if isinstance(stored, tuple) else tuple(orjson.loads(stored))


@record(frozen=True)
class Endpoint:
    """A row of `webhooks_endpoints`."""

    key: int
    id: str
    bot: int | None
    url: str = attrs.field(repr=False)
    about: str
    kinds: tuple[str, ...] = attrs.field(converter=_read_kinds)
    format: Format
    echo: bool = attrs.field(converter=bool)
    secret: str = attrs.field(repr=False)
    old_secret: str | None = attrs.field(repr=False)
    old_until: int | None
    state: State
    reason: str | None
    revision: int
    epoch: str
    cursor: int
    probes: int
    probe_at: int | None
    failing_since: int | None
    noticed_at: int | None
    sent_at: int | None
    failed_at: int | None
    created_at: int
    notice: Notice | None = None

    @property
    def runs(self) -> bool:
        """Whether events are sent to it."""
        return self.state in ("active", "stalled")

    @property
    def origin(self) -> str:
        """What logs show of its address: the rest may be a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def secrets(self, now: int) -> list[str]:
        """What its events are signed with: the secret, and for a day after a rotation also the one from before."""
        old = self.old_secret if self.old_until is not None and now < self.old_until else None
        return [self.secret] if old is None else [self.secret, old]


_COLUMNS = ", ".join(each.name for each in attrs.fields(Endpoint))
_SELECT = f"SELECT {_COLUMNS} FROM webhooks_endpoints"  # noqa: S608 -- our own names


def by_key(reader: Querying, key: int) -> Endpoint | None:
    """None if it is not there any more."""
    row = reader.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchone()
    return Endpoint(*row) if row is not None else None


def find(reader: Querying, id: str) -> Endpoint:
    """Raises `Refusal("not_found")`, also for one that was removed."""
    row = reader.execute(f"{_SELECT} WHERE id = ? AND state <> 'removed'", (id,)).fetchone()
    if row is None:
        raise no_such_endpoint()
    return Endpoint(*row)


def no_such_endpoint() -> Refusal:
    """The same for one that is not there, and one that the requester may not manage."""
    return Refusal("not_found", "no such endpoint", path="endpoint")


def at_address(reader: Querying, bot: int | None, url: str) -> str | None:
    """The id of the endpoint of this bot, or of the node, with this address."""
    owner = "bot IS NULL" if bot is None else "bot = :bot"
    row = reader.execute(
        f"SELECT id FROM webhooks_endpoints WHERE {owner} AND url = :url AND state <> 'removed'",  # noqa: S608
        {"bot": bot, "url": url},
    ).fetchone()
    return row[0] if row is not None else None


def page(reader: Querying, bot: int | None, after: str, limit: int) -> list[Endpoint]:
    """Endpoints of a bot, or all of them, in the order of ids."""
    among = "" if bot is None else "AND bot = :bot "
    rows = reader.execute(
        f"{_SELECT} WHERE state <> 'removed' AND id > :after {among}ORDER BY id LIMIT :limit",
        {"bot": bot, "after": after, "limit": limit},
    )
    return [Endpoint(*row) for row in rows]


def count(reader: Querying, bot: int | None) -> tuple[int, int]:
    """How many there are in all, and of the bot. Those of bots that are deactivated do not count: nothing is sent to
    them, and users may end their bots and make others."""
    row = reader.execute(
        "SELECT count(*), coalesce(sum(CASE WHEN e.bot = :bot THEN 1 ELSE 0 END), 0) FROM webhooks_endpoints e "
        "LEFT JOIN people p ON p.key = e.bot WHERE e.state <> 'removed' AND p.deactivated_at IS NULL",
        {"bot": bot},
    ).fetchone()
    return row[0], row[1]


def is_current(reader: Querying, endpoint: Endpoint) -> bool:
    """Whether events are sent to it, as it is here: no command has changed it since."""
    found = reader.execute("SELECT state, revision FROM webhooks_endpoints WHERE key = ?", (endpoint.key,)).fetchone()
    return found is not None and found[0] in ("active", "stalled") and found[1] == endpoint.revision


def to_look_after(reader: Querying) -> list[int]:
    """The keys of those that events are sent to, or that people are still to be notified of."""
    rows = reader.execute(
        "SELECT key FROM webhooks_endpoints WHERE state IN ('active', 'stalled') OR notice IS NOT NULL ORDER BY key"
    )
    return [key for (key,) in rows]


def insert(tx: Transaction, **values: Any) -> int:
    """A new endpoint; returns its key. `values` are its columns by name."""
    stored = {**values, "created_at": tx.now}
    names, places = ", ".join(stored), ", ".join(f":{name}" for name in stored)
    row = tx.execute(
        f"INSERT INTO webhooks_endpoints ({names}) VALUES ({places}) RETURNING key",  # noqa: S608 -- our own names
        stored,
    ).fetchone()
    return row[0]


def change(tx: Transaction, key: int, **values: Any) -> None:
    """Set columns by name."""
    terms = ", ".join(f"{name} = :{name}" for name in values)
    tx.execute(f"UPDATE webhooks_endpoints SET {terms} WHERE key = :key", {**values, "key": key})  # noqa: S608


def advance(tx: Transaction, key: int, cursor: int) -> None:
    """Move its place in the log, which never goes back."""
    tx.execute(
        "UPDATE webhooks_endpoints SET cursor = :to WHERE key = :key AND cursor < :to", {"to": cursor, "key": key}
    )


def as_json(kinds: Sequence[str]) -> str:
    """How `kinds` are stored."""
    return json_array(dict.fromkeys(kinds))


def of_other_epoch(reader: Querying, epoch: str) -> bool:
    """Whether some are from before a restore."""
    return reader.execute("SELECT 1 FROM webhooks_endpoints WHERE epoch <> ?", (epoch,)).fetchone() is not None


def begin_again(tx: Transaction, epoch: str, head: int) -> int:
    """After a restore, gids from before mean nothing: all begin at the end of the log, and what was pending has ended.

    Returns how many endpoints that were.
    """
    keys = [key for (key,) in tx.execute("SELECT key FROM webhooks_endpoints WHERE epoch <> ?", (epoch,)).fetchall()]
    for key in keys:
        change(tx, key, epoch=epoch, cursor=head)
        forget(tx, key)
    return len(keys)


def forget(tx: Transaction, key: int) -> None:
    """Delete what failed, what is to be sent again, and the attempts."""
    for table in ("webhooks_deliveries", "webhooks_replays", "webhooks_attempts"):
        tx.execute(f"DELETE FROM {table} WHERE endpoint = ?", (key,))  # noqa: S608 -- constants


def remove(tx: Transaction, key: int) -> None:
    """Send nothing to it any more. The row stays for a while, for the event that tells of it."""
    change(tx, key, state="removed", url="", about="", secret="", old_secret=None, reason=None, notice=None)
    forget(tx, key)


def of_ended_bots(reader: Querying, before: int) -> list[int]:
    """The keys of those whose bot was deactivated before this time and is no user's: users may end their bots."""
    rows = reader.execute(
        "SELECT e.key, e.bot FROM webhooks_endpoints e JOIN people p ON p.key = e.bot "
        "WHERE e.state <> 'removed' AND p.deactivated_at < ? ORDER BY e.key",
        (before,),
    ).fetchall()
    return [key for key, bot in rows if bot_owner(reader, bot) is None]


def delete_removed(tx: Transaction, before: int) -> int:
    """Delete endpoints that were removed and are old; returns their number."""
    return tx.execute("DELETE FROM webhooks_endpoints WHERE state = 'removed' AND created_at < ?", (before,)).rowcount
