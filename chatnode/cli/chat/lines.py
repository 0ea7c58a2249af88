"""What the terminal shows, as text: messages, days, the inbox. No input or output here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

from chatnode.cli.chat.printable import one_line, printable
from chatnode.cli.chat.style import Style
from chatnode.model.conversations import InboxEntry, Member
from chatnode.model.messages import Message, Receipt
from chatnode.model.people import PersonRef

_INDENT = "      "  # as wide as a time and a space
_TITLE_WIDTH = 28
_QUOTE_CHARS = 60


class Lines:
    """Renders for one reader, `me`."""

    def __init__(self, style: Style, me: PersonRef) -> None:
        self.style = style
        self.me = me
        self._my_mention = re.compile(rf"(?<![\w@.-])@{re.escape(me.handle)}(?![\w-])", re.IGNORECASE)

    def message(self, message: Message, quoted: Message | None) -> str:
        """`10:17 ann  text`, under what it replies to; one's own with a mark, as they are shown once stored."""
        style = self.style
        body = self._body(message)
        if message.sender.id == self.me.id:
            body += style.dim(" ✓")
        first, *rest = body.split("\n")
        said = f"{style.dim(clock(message.at))} {style.handle(message.sender.handle)}  {first}"
        shown = "\n".join([said, *(_INDENT + line for line in rest)])
        return f"{self._quote(message, quoted)}\n{shown}" if message.reply_to else shown

    def _body(self, message: Message) -> str:
        if message.deleted_at is not None:
            return self.style.dim("(deleted)")
        body = printable(message.text)
        if self.is_mentioned(message):
            body = self._my_mention.sub(lambda match: self.style.mention(match[0]), body)
        return body + (self.style.dim(" (edited)") if message.edited_at else "")

    def _quote(self, message: Message, quoted: Message | None) -> str:
        if quoted is None:
            return self.style.dim(f"{_INDENT}╭ (a message that is not there any more)")
        text = "(deleted)" if quoted.deleted_at else one_line(quoted.text, _QUOTE_CHARS)
        return self.style.dim(f"{_INDENT}╭ {quoted.sender.handle}: {text}")

    def is_mentioned(self, message: Message) -> bool:
        return self.me.id in (message.mentions or ())

    def day(self, day: date) -> str:
        return self.style.dim(f"── {day:%A}, {day.day} {day:%B %Y} ──")

    def note(self, text: str) -> str:
        """Something that happened, not said by anybody."""
        return self.style.dim(f"  · {text}")

    def elsewhere(self, entry: InboxEntry, message: Message, width: int) -> str:
        """A message in a conversation that is not open, in one line."""
        how = " mentions you" if self.is_mentioned(message) else ""
        where = "" if entry.kind == "direct" else f" in {title_of(entry)}"
        head = f"  • {message.sender.handle}{where}{how}: "
        line = head + one_line(message.text, max(10, width - len(head)))
        return self.style.bold(line) if how or entry.kind == "direct" else self.style.dim(line)

    def heading(self, entry: InboxEntry) -> str:
        about = (
            "direct conversation" if entry.kind == "direct" else f"{entry.visibility} group, {_members(entry.members)}"
        )
        return f"{self.style.bold('━━ ' + title_of(entry))}  {self.style.dim(about)}"

    def inbox(self, entries: Sequence[InboxEntry], width: int) -> list[str]:
        """One numbered line for each conversation."""
        if not entries:
            return [self.style.dim("  No conversations yet: /dm HANDLE, /group TITLE, or /public to find one.")]
        return [self._inbox_line(number, entry, width) for number, entry in enumerate(entries, 1)]

    def _inbox_line(self, number: int, entry: InboxEntry, width: int) -> str:
        title = one_line(title_of(entry), _TITLE_WIDTH).ljust(_TITLE_WIDTH)
        counts = " ".join(
            part
            for part in (f"{entry.unread} new" if entry.unread else "", f"@{entry.mentions}" if entry.mentions else "")
            if part
        )
        last = ""
        if entry.last is not None:
            said = "(deleted)" if entry.last.deleted_at else entry.last.text
            last = one_line(f"{entry.last.sender.handle}: {said}", max(10, width - _TITLE_WIDTH - 21))
        number_part = f"{number:>3}  "
        style = self.style
        return (
            number_part
            + (style.bold(title) if entry.unread else title)
            + " "
            + (style.mention(counts) if entry.mentions else style.bold(counts))
            + " " * (12 - len(counts))
            + " "
            + style.dim(last)
        ).rstrip()

    def members(self, members: Sequence[Member]) -> list[str]:
        return [
            f"  {self.style.handle(member.person.handle)}"
            + (f"  {one_line(member.name, 60)}" if member.name != member.person.handle else "")
            + (self.style.dim(f"  {member.role}") if member.role != "member" else "")
            for member in members
        ]

    def receipts(self, message: Message, receipts: Sequence[Receipt]) -> list[str]:
        head = self.note(f"“{one_line(message.text, _QUOTE_CHARS)}” of {clock(message.at)}:")
        if not receipts:
            return [head, self.note("nobody has got it yet")]
        lines = [head]
        for receipt in receipts:
            if receipt.read_at is not None:
                how = f"read at {clock(receipt.read_at)}"
            else:
                how = f"got it at {clock(receipt.delivered_at or '')}, not read yet"
            lines.append(f"    {self.style.handle(receipt.person.handle)} {how}")
        return lines


def title_of(entry: InboxEntry) -> str:
    """What people call the conversation: a group's title, else the other's handle."""
    return one_line(entry.title, 200) or "(untitled)"


def local_time(at: str) -> datetime | None:
    """A time of the protocol where the reader is; None for one that is not understood."""
    try:
        return datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError):  # the latter at the edges of the calendar, in a zone beyond them
        return None


def clock(at: str) -> str:
    time = local_time(at)
    return f"{time:%H:%M}" if time else "--:--"


def _members(count: int) -> str:
    return "1 member" if count == 1 else f"{count} members"
