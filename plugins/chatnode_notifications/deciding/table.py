"""The decision table: who is notified of a message, and when. Pure: what it judges by is in a `Case`.

The first row that ends the matter wins. Rows that only postpone an alert are taken together: it is due at the latest
of their times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from chatnode.api import DAY_MS, record

Reason = Literal["mention", "reply", "thread", "direct", "everyone", "system", "ordinary"]
"""Why a message matters to a user. The first four are personal."""
ORDINARY, SYSTEM, EVERYONE, PERSONAL = 1, 2, 3, 4
LEVEL: dict[Reason, int] = {
    "mention": PERSONAL, "reply": PERSONAL, "thread": PERSONAL, "direct": PERSONAL,
    "everyone": EVERYONE, "system": SYSTEM, "ordinary": ORDINARY,
}  # fmt: skip

Ending = Literal["never", "inbox", "suppressed"]
"""`never`: nothing at all. `inbox`: it counts as unread, without an alert. `suppressed`: it was read."""
Notify = Literal["all", "mentions", "none"]
Presence = Literal["active", "idle", "away"]
"""`active`: the user is connected, and was active in the last `ACTIVE_MS`; `idle`: only connected."""
ACTIVE_MS = 60_000
MOST_AHEAD_MS = DAY_MS
"""Nothing is due later than this, in case the clock was wrong. What is still held back then is judged again."""


@record(frozen=True)
class NodeRules:
    """What the operator has set, in milliseconds."""

    max_age: int = DAY_MS
    online_delay: int = 30_000
    idle_delay: int = 10_000
    repeat: int = 60_000


@record(kw_only=True)  # not frozen: that costs microseconds where hundreds are made for a message
class Case:
    """A message and one of its possible recipients. Times are in milliseconds. `can_act`: the account is
    active, and its role has the permission `chat`.

    `made_at` is when the first message was decided that this one would be told of with. `rang_at` is when the user was
    last notified of the conversation. Either lies in the future if the clock was set back since. Then it postpones
    nothing; otherwise it would do so again each time that the alert is due. `held_until` and `quieted` are what plugins
    say; `quiet_until` is the end of the quiet hours, if it is in them at `now`.
    """

    now: int
    at: int
    reason: Reason
    made_at: int
    takes_part: bool = True
    may_see: bool = True
    deleted: bool = False
    own: bool = False
    bot: bool = False
    can_act: bool = True
    blocked: bool = False
    imported: bool = False
    notify: Notify = "all"
    muted_until: int | None = None
    through_mute: bool = False
    archived: bool = False
    quieted: bool = False
    held_until: int | None = None
    paused_until: int | None = None
    quiet_until: int | None = None
    presence: Presence = "away"
    read: bool = False
    rang_at: int | None = None

    @property
    def level(self) -> int:
        return LEVEL[self.reason]

    @property
    def personal(self) -> bool:
        return LEVEL[self.reason] == PERSONAL


@record(frozen=True)
class Verdict:
    """`ending` is None if the user is notified, at `due_at`. `row` is the number of the row that ended the matter, or
    that postponed it longest; 0 if none did."""

    ending: Ending | None
    row: int
    due_at: int = 0


Judge = Callable[[Case, NodeRules], Ending | int | None]
"""Returns how the matter ends, or the time before which the alert is not due; None if the row does not match."""


@record(frozen=True)
class TableRow:
    """A row of the table."""

    number: int
    condition: str
    judge: Judge


def reason_of(
    *,
    direct: bool,
    mentioned: bool,
    everyone: bool,
    reply: bool,
    thread: bool,
    system: bool,
    replies: bool = True,
    threads: bool = True,
) -> Reason:
    """Row 5: why a message matters most to a user; `replies` and `threads` are their settings."""
    if mentioned:
        return "mention"
    if reply and replies:
        return "reply"
    if thread and threads:
        return "thread"
    if direct:
        return "direct"
    if everyone:
        return "everyone"
    return "system" if system else "ordinary"


def judge(case: Case, rules: NodeRules, rows: Iterable[TableRow] | None = None) -> Verdict:
    """The verdict of the table, or of some of its rows."""
    due, number = case.now, 0
    for row in ROWS if rows is None else rows:
        found = row.judge(case, rules)
        if found is None:
            continue
        if isinstance(found, str):
            return Verdict(found, row.number)
        if found > due:
            due, number = found, row.number
    return Verdict(None, number, min(due, case.now + MOST_AHEAD_MS))


# ---- the rows


def _gone(case: Case, rules: NodeRules) -> Ending | None:
    return "never" if case.deleted or not case.takes_part or not case.may_see else None


def _not_a_reader(case: Case, rules: NodeRules) -> Ending | None:
    return "never" if case.own or case.bot or not case.can_act else None


def _blocked(case: Case, rules: NodeRules) -> Ending | None:
    return "never" if case.blocked else None


def _old(case: Case, rules: NodeRules) -> Ending | None:
    return "inbox" if case.imported or case.at < case.now - rules.max_age else None


def _muted(case: Case, rules: NodeRules) -> Ending | None:
    muted = case.muted_until is not None and case.muted_until > case.now
    return "inbox" if case.notify == "none" or (muted and not (case.through_mute and case.personal)) else None


def _mentions_only(case: Case, rules: NodeRules) -> Ending | None:
    return "inbox" if case.notify == "mentions" and case.level == ORDINARY else None


def _archived(case: Case, rules: NodeRules) -> Ending | None:
    return "inbox" if case.archived and case.level == ORDINARY else None


def _plugins(case: Case, rules: NodeRules) -> Ending | int | None:
    return "inbox" if case.quieted else case.held_until


def _quiet(case: Case, rules: NodeRules) -> int | None:
    until = max(case.paused_until or 0, case.quiet_until or 0)
    return until if until > case.now else None


def _present(case: Case, rules: NodeRules) -> int | None:
    if case.presence == "away" or case.made_at > case.now:
        return None
    return case.made_at + (rules.online_delay if case.presence == "active" else rules.idle_delay)


def _read(case: Case, rules: NodeRules) -> Ending | None:
    return "suppressed" if case.read else None


def _repeated(case: Case, rules: NodeRules) -> int | None:
    if case.rang_at is None or case.rang_at > case.now or case.personal:
        return None
    return case.rang_at + rules.repeat


REASON_ROW = 5
ROWS = (
    TableRow(1, "you are not in the conversation, cannot see the message, or it was deleted", _gone),
    TableRow(2, "you wrote it, are a bot, or your account is deactivated or may not use the chat", _not_a_reader),
    TableRow(3, "you have blocked the sender", _blocked),
    TableRow(4, "it was imported, or was too old when it was judged", _old),
    TableRow(6, "you turned off notifications of the conversation, or muted it", _muted),
    TableRow(7, "you chose only messages meant for you or for everyone, and it is not one", _mentions_only),
    TableRow(8, "you have archived the conversation, and it is not meant for you or for everyone", _archived),
    TableRow(9, "a plugin of the node suppressed it", _plugins),
    TableRow(10, "you have paused notifications, or these are your quiet hours", _quiet),
    TableRow(11, "you are connected, and may see it there", _present),
    TableRow(12, "you have read it", _read),
    TableRow(13, "you were notified of the conversation a moment ago", _repeated),
)
"""Row 5 says why the message matters (`reason_of`)."""

CLOSING_ROWS = tuple(row for row in ROWS if row.number not in (4, 9))
"""Those that are judged again when an alert is due. Old messages are among them on purpose: they were not when they
were decided."""
