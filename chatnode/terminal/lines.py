"""What the terminal shows, as text: messages, days, the inbox. No input or output here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime

from chatnode.counting import counted
from chatnode.model.bots import OfferedCommand, PrivateNotice
from chatnode.model.conversations import InboxEntry, Member
from chatnode.model.mentions import mentions
from chatnode.model.messages import EVERYONE, Media, Message, Receipt
from chatnode.model.people import PersonRef
from chatnode.terminal.buttons import ShownButtons, button_line
from chatnode.terminal.printable import columns, one_line, padded, printable
from chatnode.terminal.style import Style

_INDENT = "      "  # as wide as a time and a space
_TITLE_WIDTH = 28
_QUOTE_CHARS = 60
_FILE_ID = re.compile(r"[0-9a-f]{32}")

ADMINS = "admins"
ALL_OF_A_GROUP = (EVERYONE, "all")
"""Handles that name more than one person."""


class ShownFiles:
    """Numbers for the files on the screen, by which they are saved."""

    def __init__(self) -> None:
        self._files: list[Media] = []
        self._numbers: dict[str, int] = {}

    def number(self, file: Media) -> int | None:
        """The file's number, the next one for a file that has none; None if the node does not have the file."""
        if not _FILE_ID.fullmatch(file.file):
            return None
        if file.file not in self._numbers:
            self._files.append(file)
            self._numbers[file.file] = len(self._files)
        return self._numbers[file.file]

    def get(self, number: int | None) -> Media | None:
        """The file with a number; without one, the last."""
        if number is None:
            return self._files[-1] if self._files else None
        return self._files[number - 1] if 0 < number <= len(self._files) else None


class Lines:
    """Renders for one reader, `me`. With `files` and `buttons`, those of messages are numbered."""

    def __init__(
        self, style: Style, me: PersonRef, files: ShownFiles | None = None, buttons: ShownButtons | None = None
    ) -> None:
        self.style = style
        self.me = me
        self._files = files
        self._buttons = buttons

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
        shown = [each for each in (*attachments(message, self._files), self._text(message)) if each]
        body = "\n".join(shown) + (self.style.dim(" (edited)") if message.edited_at else "")
        buttons = button_line(message, self._buttons)
        return f"{body}\n{self.style.bold(buttons)}" if buttons else body

    def _text(self, message: Message) -> str:
        """What it says, with what names the reader marked."""
        parts: list[str] = []
        done = 0
        for mention in mentions(message.text):
            if self._names_me(mention.handle, message):
                parts += [printable(message.text[done : mention.start])]
                parts += [self.style.mention(printable(message.text[mention.start : mention.end]))]
                done = mention.end
        return "".join([*parts, printable(message.text[done:])])

    def _names_me(self, handle: str, message: Message) -> bool:
        named = message.mentions or ()
        if handle in ALL_OF_A_GROUP:
            return EVERYONE in named
        return self.me.id in named and handle in (self.me.handle, ADMINS)

    def _quote(self, message: Message, quoted: Message | None) -> str:
        if quoted is None:
            return self.style.dim(f"{_INDENT}╭ (a message that was removed)")
        return self.style.dim(f"{_INDENT}╭ {quoted.sender.handle}: {one_line(summary(quoted), _QUOTE_CHARS)}")

    def is_mentioned(self, message: Message) -> bool:
        return not {self.me.id, EVERYONE}.isdisjoint(message.mentions or ())

    def edited(self, message: Message) -> str:
        """A note that a message on the screen was edited, with its new text."""
        of = "your message" if message.sender.id == self.me.id else f"the message of {message.sender.handle}"
        body = self._body(message).replace("\n", "\n" + _INDENT)
        return self.note(f"{of} at {clock(message.at)} was edited:") + f"\n{_INDENT}{body}"

    def deleted(self, message: Message) -> str:
        """A note that a message on the screen was deleted, and by which user."""
        of = "your message" if message.sender.id == self.me.id else f"the message of {message.sender.handle}"
        by = message.deleted_by
        how = f" by {by.handle}" if by is not None and by.id != message.sender.id else ""
        why = f" ({message.deleted_reason})" if message.deleted_reason not in (None, "user_request") else ""
        return self.note(f"{of} at {clock(message.at)} was deleted{how}{why}")

    def reacted(self, message: Message, by: str, emojis: Sequence[str]) -> str:
        """A user's reactions to a message on the screen, as they are now."""
        said = f"“{one_line(summary(message), _QUOTE_CHARS)}”"
        what = f"reacted {one_line(' '.join(emojis), 80)} to" if emojis else "removed their reactions from"
        return self.note(f"{one_line(by, 80)} {what} {said}")

    def found(self, message: Message, entry: InboxEntry | None, number: int, width: int) -> str:
        """A message that a search found, in one line."""
        time = local_time(message.at)
        day = f"{time:%Y-%m-%d %H:%M}" if time else "--"
        where = f" in {marked_title(entry)}" if entry is not None else ""
        head = f"{number:>3}  {day}  {message.sender.handle}{where}: "
        return self.style.dim(head) + one_line(summary(message), max(10, width - columns(head)))

    def day(self, day: date) -> str:
        return self.style.dim(f"── {day:%A}, {day.day} {day:%B %Y} ──")

    def private(self, notice: PrivateNotice, where: str | None) -> str:
        """An answer that only the reader sees; `where` is the conversation, unless it is open."""
        by = notice.bot.handle if notice.bot is not None else f"/{notice.plugin or 'node'}"
        body = printable(notice.text).replace("\n", "\n" + _INDENT)
        head = f"  {one_line(by, 80)}{f' in {where}' if where is not None else ''}, only to you: "
        return self.style.dim(head) + (self.style.dim(body) if notice.status is not None else body)

    def offer(self, offer: OfferedCommand, width: int) -> str:
        """A slash command of the node, in one line."""
        usage = one_line(f"{offer.command} {offer.usage}", 80)
        by = offer.bot.handle if offer.bot is not None else offer.plugin or ""
        return f"  {padded(usage, width)}  {self.style.dim(f'{one_line(offer.about, 200)} ({one_line(by, 80)})')}"

    def note(self, text: str) -> str:
        """A line about an event."""
        return self.style.dim(f"  · {text}")

    def elsewhere(self, entry: InboxEntry, message: Message, width: int) -> str:
        """A message in a conversation that is not open, in one line."""
        how = " mentions you" if self.is_mentioned(message) else ""
        where = "" if entry.kind == "direct" else f" in {title_of(entry)}"
        head = f"  • {message.sender.handle}{where}{how}: "
        line = head + one_line(summary(message), max(10, width - columns(head)))
        return self.style.bold(line) if how or entry.kind == "direct" else self.style.dim(line)

    def heading(self, entry: InboxEntry) -> str:
        group = f"{entry.visibility} group, {counted(entry.members, 'member')}"
        about = "direct conversation" if entry.kind == "direct" else group
        return f"{self.style.bold('━━ ' + title_of(entry))}  {self.style.dim(about)}"

    def inbox(self, entries: Sequence[InboxEntry], width: int) -> list[str]:
        """One numbered line for each conversation."""
        if not entries:
            return [self.style.dim("  No conversations yet: /dm HANDLE, /group TITLE, or /public to find one.")]
        return [self._inbox_line(number, entry, width) for number, entry in enumerate(entries, 1)]

    def _inbox_line(self, number: int, entry: InboxEntry, width: int) -> str:
        title = padded(one_line(marked_title(entry), _TITLE_WIDTH), _TITLE_WIDTH)
        counts = " ".join(
            part
            for part in (f"{entry.unread} new" if entry.unread else "", f"@{entry.mentions}" if entry.mentions else "")
            if part
        )
        last = ""
        if entry.last is not None:
            last = one_line(f"{entry.last.sender.handle}: {summary(entry.last)}", max(10, width - _TITLE_WIDTH - 21))
        if is_muted(entry):
            last = f"(muted) {last}"
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
        head = self.note(f"“{one_line(summary(message), _QUOTE_CHARS)}” of {clock(message.at)}:")
        if not receipts:
            return [head, self.note("not delivered to anyone yet")]
        lines = [head]
        for receipt in receipts:
            if receipt.read_at is not None:
                how = f"read at {clock(receipt.read_at)}"
            else:
                how = f"delivered at {clock(receipt.delivered_at or '')}, not read yet"
            lines.append(f"    {self.style.handle(receipt.person.handle)} {how}")
        return lines


def title_of(entry: InboxEntry) -> str:
    """What people call the conversation: a group's title, else the other's handle."""
    return one_line(entry.title, 200) or "(untitled)"


def marked_title(entry: InboxEntry) -> str:
    """The title so that a group cannot pass for a user: `@ann`, `#tea`."""
    title = title_of(entry)
    if entry.kind == "direct":
        return "@" + title
    return title if title.startswith("#") else "#" + title


def is_muted(entry: InboxEntry) -> bool:
    """Whether nothing is to be told of it now."""
    settings = entry.settings
    if settings is None:
        return False
    until = local_time(settings.muted_until or "")
    return settings.notify == "none" or (until is not None and until > datetime.now(UTC))


def attachments(message: Message, files: ShownFiles | None = None) -> list[str]:
    """What a message carries beside its text, in a line each; none for one that is only text."""
    if message.deleted_at is not None:
        return []
    if message.kind == "system":
        return ["[notice]" if message.text else f"[notice] {message.system.type if message.system else ''}".rstrip()]
    if message.kind == "location" and message.location is not None:
        place = message.location
        at = f"{place.latitude:.5f}, {place.longitude:.5f}"
        return [f"[place] {one_line(place.name, 200)} ({at})" if place.name.strip() else f"[place] {at}"]
    media = [message.media] if message.media is not None else []  # all that a node of an earlier version sends
    return [_file(each, message.kind, files) for each in message.files or media]


def _file(media: Media, kind: str, files: ShownFiles | None) -> str:
    size = f", {media.width}×{media.height}" if media.width and media.height else ""
    what = f"{one_line(media.name, 255)} ({one_line(media.type, 100)}, {file_size(media.bytes)}{size})"
    number = files.number(media) if files is not None else None
    return f"[{kind} {number}] {what}" if number else f"[{kind}] {what} {one_line(media.file, 2_000)}"


def summary(message: Message) -> str:
    """A message for where there is one line: what it carries, then what it says."""
    if message.deleted_at is not None:
        return "(deleted)"
    return " ".join(each for each in (*attachments(message), message.text) if each)


def file_size(count: int) -> str:
    if count < 1024:
        return f"{counted(count, 'byte')}"
    unit = min((count.bit_length() - 1) // 10, 4)
    return f"{count / 1024**unit:.1f} {('KiB', 'MiB', 'GiB', 'TiB')[unit - 1]}"


def local_time(at: str) -> datetime | None:
    """A time of the protocol where the reader is; None for one that is not understood."""
    try:
        return datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError):  # the latter at the edges of the calendar, in a zone beyond them
        return None


def clock(at: str) -> str:
    time = local_time(at)
    return f"{time:%H:%M}" if time else "--:--"
