"""Judging posted messages for those who may be notified of them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import trio

from chatnode.api import Context, milliseconds, now_ms
from chatnode_notifications.deciding.bundles import BundleDraft
from chatnode_notifications.deciding.looking import Candidates, Possible
from chatnode_notifications.deciding.proposal import Hold, Proposal, Quiet, combined
from chatnode_notifications.deciding.quiet import quiet_until
from chatnode_notifications.deciding.rules import presence_of, rules_of
from chatnode_notifications.deciding.table import (
    LEVEL,
    PERSONAL,
    Case,
    NodeRules,
    Presence,
    Reason,
    Verdict,
    judge,
    reason_of,
)
from chatnode_notifications.preferences.model import Preferences

_HOOK_SECONDS = 10.0
"""After this time that plugins took for one batch, the rest of it is let through."""
_BETWEEN_CHECKPOINTS = 64
"""Users judged before others on the trio thread have their turn: about a millisecond."""
DEFAULTS = Preferences()


def paused_until(chosen: Preferences) -> int | None:
    """The end of the user's pause, in milliseconds."""
    return milliseconds(chosen.paused_until) if chosen.paused_until is not None else None


class Judging:
    """Judges one batch. Use it on the trio thread."""

    def __init__(self, ctx: Context, look: Candidates) -> None:
        self._ctx = ctx
        self._look = look
        self._rules: NodeRules = rules_of(ctx)
        self._now = now_ms()
        self._presence: dict[int, Presence] = {}
        self._drafts: dict[tuple[int, int], BundleDraft] = {}
        self._asks = ctx.is_implemented("should_notify")
        self._asked_until = trio.current_time() + _HOOK_SECONDS

    async def run(self) -> list[BundleDraft]:
        """What is to be stored, in the order of the messages."""
        for number, each in enumerate(self._look.possible, 1):
            await self._judge(each)
            if number % _BETWEEN_CHECKPOINTS == 0:
                await trio.lowlevel.checkpoint()
        return sorted(self._drafts.values(), key=lambda each: each.last_gid)

    async def _judge(self, possible: Possible) -> None:
        who = possible.recipient
        chosen = self._look.chosen.get(who.person, DEFAULTS)
        postings = possible.postings
        reason = reason_of(
            direct=who.direct, mentioned=who.mentioned, everyone=who.everyone, reply=who.reply, thread=who.thread,
            system=postings.system, replies=chosen.replies, threads=chosen.threads,
        )  # fmt: skip
        if who.person not in self._look.reachable and LEVEL[reason] != PERSONAL:
            return
        unread = postings.seqs
        if who.read_seq >= unread[0]:
            unread = tuple(seq for seq in unread if seq > who.read_seq)
        if not unread:
            return
        case = Case(
            now=self._now, at=postings.at, reason=reason, made_at=self._now, bot=who.bot, notify=who.notify,
            muted_until=who.muted_until, through_mute=chosen.mentions_through_mute, archived=who.archived,
            paused_until=paused_until(chosen),
            quiet_until=quiet_until(chosen.quiet, chosen.zone, self._now) if chosen.quiet else None,
            presence=self._presence_of(who.person),
        )  # fmt: skip
        verdict = judge(case, self._rules)
        if verdict.ending is not None:
            return
        if self._asks:
            await self._propose(case, possible, unread, verdict)
        else:
            self._add(possible, unread, case.reason, verdict.due_at)

    async def _propose(self, case: Case, possible: Possible, seqs: Sequence[int], verdict: Verdict) -> None:
        """Ask plugins about each message, until they have taken too long."""
        person, conversation = possible.recipient.person, possible.postings.conversation
        for seq in seqs:
            answer, due_at = None, verdict.due_at
            if trio.current_time() <= self._asked_until:
                answer = await ask_plugins(self._ctx, person, conversation, seq, case.reason)
            if isinstance(answer, Hold):
                due_at = judge(attrs.evolve(case, held_until=answer.until), self._rules).due_at
            if not isinstance(answer, Quiet):
                self._add(possible, (seq,), case.reason, due_at)

    def _add(self, possible: Possible, seqs: tuple[int, ...], reason: Reason, due_at: int) -> None:
        place = possible.recipient.person, possible.postings.conversation
        draft = self._drafts.get(place)
        if draft is None:
            draft = self._drafts[place] = BundleDraft(*place, due_at, seqs[0])
        draft.add(seqs, possible.postings.gid, reason, due_at)

    def _presence_of(self, person: int) -> Presence:
        found = self._presence.get(person)
        if found is None:
            found = self._presence[person] = presence_of(self._ctx, person, self._now)
        return found


async def ask_plugins(ctx: Context, person: int, conversation: int, seq: int, reason: Reason) -> Quiet | Hold | None:
    """Call the hook `should_notify`. Failures are reported by the node, and let the message through."""
    proposal = Proposal(person, conversation, seq, reason, LEVEL[reason] == PERSONAL)
    answers: Sequence[object] = await ctx.ask("should_notify", note=proposal)
    return combined(answers)
