"""What plugins are asked about a notification, and what they answer."""

from __future__ import annotations

from collections.abc import Iterable

from chatnode.api import record
from chatnode_notifications.deciding.table import Reason


@record(frozen=True)
class Notify:
    """Let it through."""


@record(frozen=True)
class Quiet:
    """No alert, and why."""

    reason: str


@record(frozen=True)
class Hold:
    """No alert before `until`, in milliseconds."""

    until: int


@record(frozen=True)
class Proposal:
    """A message that a user is about to be notified of. `person` and `conversation` are keys of the tables, `seq` is
    the message's place in the conversation."""

    person: int
    conversation: int
    seq: int
    reason: Reason
    personal: bool

    @staticmethod
    def notify() -> Notify:
        """Let it through."""
        return Notify()

    @staticmethod
    def quiet(reason: str) -> Quiet:
        """No alert. `reason` is for `notifications.explain`."""
        return Quiet(reason)

    @staticmethod
    def hold(until: int) -> Hold:
        """No alert before `until`, in milliseconds."""
        return Hold(until)


def combined(answers: Iterable[object]) -> Quiet | Hold | None:
    """What the answers mean together. What is no answer counts as None."""
    hold: Hold | None = None
    for answer in answers:
        if isinstance(answer, Quiet):
            return answer
        if isinstance(answer, Hold) and (hold is None or answer.until > hold.until):
            hold = answer
    return hold
