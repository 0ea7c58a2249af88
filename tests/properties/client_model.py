"""A client as the documentation has it: it begins from a snapshot, applies events, and asks only when told to.

What an event means to it:

- `message.posted`: the newest message. Its sender has read everything up to it, and so has a client whose own
  person sent it.
- `message.edited`, `message.deleted`, `message.pinned`: here is the message as it is now. A posted reply of a thread
  is one more for the message that the thread hangs on.
- `settings.changed`: one's own settings of a conversation. `person.blocked`: whom one has blocked.
- `receipt.read`, `receipt.delivered`: a mark of somebody. Read implies delivered.
- `member.joined`, `member.left`, `member.changed`: who takes part. One's own joining means: fetch the conversation
  anew; one's own leaving: forget it. Who joins has read what was there.
- `conversation.updated`: an inactive conversation is forgotten, one that is open again is fetched. Else here is how
  it is now; head and number of members follow from the other events.
- `conversation.trimmed`: messages up to its floor are gone, and count as read.
- `conversation.imported`: fetch the conversation anew.
- `person.erased`: what they said becomes tombstones, and their handle is another.
- `work.changed`: here is one of one's own works as it is now.
- `person.updated`: names and pictures. `role.changed`, `session.revoked`: about oneself.
- `notice.private`: words that pass; `slash.invoked`, `action.invoked`: only bots hear them. They change nothing here.
"""

from __future__ import annotations

from typing import Any, Protocol

import attrs

from chatnode.errors import Refusal

PAGE = 3
"""Small, so that paging is part of what is tested."""


class Caller(Protocol):
    """Somebody who can run commands."""

    id: str

    async def call(self, name: str, /, **fields: Any) -> Any: ...


@attrs.define
class Talk:
    """A conversation in the client: details, the reader's own place in it, who else is in, and what was said."""

    details: dict[str, Any]
    you: dict[str, Any]
    members: dict[str, dict[str, Any]]
    messages: list[dict[str, Any]]

    def count(self, me: str) -> None:
        """What follows from messages and marks."""
        head, read = self.details["head"], self.you["read_seq"]
        unread = [message for message in self.messages if message["seq"] > read]
        self.you["head"] = head
        self.you["unread"] = head - read
        self.you["mentions"] = sum(bool({me, "everyone"} & set(message.get("mentions", ()))) for message in unread)
        self.you["members"] = self.details["members"] = len(self.members)
        if not self.messages:
            self.you.pop("last", None)
        else:
            self.you["last"] = self.messages[-1]
            self.you["activity"] = max(self.you["activity"], self.messages[-1]["gid"])


@attrs.define
class Client:
    """One person's client. `gid` is its cursor; `stale` are conversations that it must fetch anew."""

    who: Caller
    me: dict[str, Any] = attrs.field(factory=dict[str, Any])
    talks: dict[str, Talk] = attrs.field(factory=dict[str, Talk])
    stale: set[str] = attrs.field(factory=set[str])
    nameless: set[str] = attrs.field(factory=set[str])
    blocked: set[str] = attrs.field(factory=set[str])
    signed_out: list[int] = attrs.field(factory=list[int])
    works: dict[str, Any] = attrs.field(factory=dict[str, Any])
    gid: int = 0

    async def begin(self, inbox: dict[str, Any] | None = None) -> None:
        """Take a snapshot; `inbox` is its first page, if that came with a welcome."""
        self.me = await self._fetch_me()
        self.blocked = {person["id"] for person in (await self.who.call("people.blocked"))["people"]}
        works: list[dict[str, Any]] = (await self.who.call("work.list"))["works"]
        self.works = {work["work"]: work for work in works if work.get("owner", {}).get("id") == self.who.id}
        self.talks = {}
        self.stale = set()
        page = inbox or await self.who.call("inbox.list", limit=PAGE)
        while True:
            for entry in page["conversations"]:
                talk = await self._fetch(entry["conversation"])
                assert talk is not None
                assert talk.you == entry, "the inbox and the conversation itself say the same"
                self.talks[entry["conversation"]] = talk
            if "next" not in page:
                return
            page = await self.who.call("inbox.list", limit=PAGE, after=page["next"])

    async def settle(self) -> None:
        """Fetch what has to be fetched anew."""
        for conversation in sorted(self.stale):
            talk = await self._fetch(conversation)
            if talk is not None:
                self.talks[conversation] = talk
        self.stale.clear()
        if self.nameless:
            names = {id: (await self.who.call("people.get", person=id))["person"]["name"] for id in self.nameless}
            for talk in self.talks.values():
                for id, member in talk.members.items():
                    member["name"] = names.get(id, member["name"])
            self.nameless.clear()

    def state(self) -> dict[str, Any]:
        """All that it shows, to be compared with another client's."""
        order = sorted(self.talks, key=lambda id: -self.talks[id].you["activity"])
        return {
            "me": self.me,
            "blocked": self.blocked,
            "works": self.works,
            "inbox": order,
            "talks": {id: attrs.asdict(self.talks[id]) for id in order},
        }

    # ---- fetching

    async def _fetch_me(self) -> dict[str, Any]:
        me = await self.who.call("people.me")
        return {"person": me["person"], "role": me["role"]}

    async def _fetch(self, conversation: str) -> Talk | None:
        """The conversation as it is now; None for somebody who is out again."""
        try:
            found = await self.who.call("conversations.get", conversation=conversation)
        except Refusal as refusal:
            assert refusal.code == "not_member"  # noqa: PT017 -- not the test's own
            return None
        return Talk(
            found["conversation"], found["you"], await self._members(conversation), await self._messages(conversation)
        )

    async def _members(self, conversation: str) -> dict[str, dict[str, Any]]:
        """Without `joined_at`, which no event tells."""
        found: list[dict[str, Any]] = []
        while True:
            after = {"after": found[-1]["person"]["handle"]} if found else {}
            page = (await self.who.call("conversations.members.list", conversation=conversation, limit=PAGE, **after))[
                "members"
            ]
            found += page
            if len(page) < PAGE:
                break
        for member in found:
            del member["joined_at"]
        return {member["person"]["id"]: member for member in found}

    async def _messages(self, conversation: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["seq"] if found else 0
            page = (await self.who.call("messages.list", conversation=conversation, after=after, limit=PAGE))[
                "messages"
            ]
            found += page
            if len(page) < PAGE:
                return found

    # ---- applying

    def apply(self, frame: dict[str, Any]) -> None:
        """Apply a push. What is not above the cursor is a repeat, and may only come in one and the same order."""
        assert frame["gid"] > self.gid, f"event {frame['gid']} came after {self.gid}"
        self.gid = frame["gid"]
        name = frame["event"]
        if name in ("notice.private", "slash.invoked", "action.invoked"):
            pass
        elif name == "role.changed":
            self.me["role"] = frame["role"]
        elif name == "session.revoked":
            self.signed_out.append(frame["session"])
        elif name == "person.blocked":
            (self.blocked.add if frame["blocked"] else self.blocked.discard)(frame["person"]["id"])
        elif name == "work.changed":
            self.works[frame["work"]["work"]] = frame["work"]
        elif name == "person.erased":
            self._person_erased(frame["person"], frame["at"])
        elif name == "person.adopted":
            self._person_adopted(frame["author"], frame["person"])
        elif name == "person.updated":
            self._person_updated(frame["person"])
        elif name == "conversation.imported" or (name == "member.joined" and frame["person"]["id"] == self.who.id):
            self.stale.add(frame["conversation"])
            self.talks.pop(frame["conversation"], None)
        elif frame["conversation"] in self.stale:
            if name == "member.left" and frame["person"]["id"] == self.who.id:
                self.stale.discard(frame["conversation"])
        else:
            talk = self.talks.get(frame["conversation"])
            if talk is None and name == "conversation.updated":  # it was inactive, and is open again
                self.stale.add(frame["conversation"])
                return
            assert talk is not None, f"an event of a conversation that it does not know: {frame}"
            _APPLY[name](self, talk, frame)
            if frame["conversation"] in self.talks:
                talk.count(self.who.id)

    def _person_updated(self, person: dict[str, Any]) -> None:
        if person["id"] == self.who.id:
            self.me["person"] = person
        for talk in self.talks.values():
            if person["id"] in talk.members:
                talk.members[person["id"]]["name"] = person["name"]

    def _person_erased(self, person: dict[str, Any], at: str) -> None:
        """What they said is gone, as if each message had been deleted; wherever they are named, it is as nobody."""
        for talk in self.talks.values():
            for message in talk.messages:
                if message["sender"]["id"] != person["id"]:
                    continue
                message["cid"] = ""
                if "deleted_at" not in message:
                    for field in _SAID:
                        message.pop(field, None)
                    message |= {"text": "", "deleted_at": at, "deleted_reason": "erased"}
            for part in (talk.messages, talk.members, talk.you, talk.details):
                _rename(part, person)
            if talk.details["kind"] == "direct" and talk.you["peer"]["id"] == person["id"]:
                talk.you["title"] = person["handle"]
            talk.count(self.who.id)

    def _person_adopted(self, author: dict[str, Any], person: dict[str, Any]) -> None:
        """What the author wrote and what names them is the person's; the author is forgotten."""
        ref = {"id": person["id"], "handle": person["handle"]}
        for talk in self.talks.values():
            for message in talk.messages:
                if message["sender"]["id"] == author["id"]:
                    message["sender"] = ref
                if author["id"] in message.get("mentions", ()):
                    named = [person["id"] if id == author["id"] else id for id in message["mentions"]]
                    message["mentions"] = list(dict.fromkeys(named))
            talk.count(self.who.id)

    def _posted(self, talk: Talk, frame: dict[str, Any]) -> None:
        message = frame["message"]
        assert message["gid"] == frame["gid"]
        assert message["seq"] == talk.details["head"] + 1, f"a hole before {message}"
        talk.messages.append(message)
        for root in talk.messages:
            if root["message"] == message.get("thread"):
                root["replies"] = root.get("replies", 0) + 1
        talk.details["head"] = message["seq"]
        self._mark(talk, message["sender"]["id"], message["seq"], "delivered_seq", "read_seq")

    def _became(self, talk: Talk, frame: dict[str, Any]) -> None:
        message = frame["message"]
        (place,) = [place for place, known in enumerate(talk.messages) if known["seq"] == message["seq"]]
        talk.messages[place] = message

    def _settings(self, talk: Talk, frame: dict[str, Any]) -> None:
        talk.you["settings"] = frame["settings"]

    def _read(self, talk: Talk, frame: dict[str, Any]) -> None:
        self._mark(talk, frame["person"]["id"], frame["seq"], "delivered_seq", "read_seq")

    def _delivered(self, talk: Talk, frame: dict[str, Any]) -> None:
        self._mark(talk, frame["person"]["id"], frame["seq"], "delivered_seq")

    def _mark(self, talk: Talk, person: str, seq: int, *marks: str) -> None:
        for marked in [talk.members[person]] + ([talk.you] if person == self.who.id else []):
            for mark in marks:
                marked[mark] = max(marked[mark], seq)

    def _joined(self, talk: Talk, frame: dict[str, Any]) -> None:
        person, head = frame["person"], talk.details["head"]
        assert person["id"] not in talk.members
        talk.members[person["id"]] = {
            "person": person, "name": None, "role": "member", "delivered_seq": head, "read_seq": head,
        }  # fmt: skip
        self.nameless.add(person["id"])

    def _left(self, talk: Talk, frame: dict[str, Any]) -> None:
        if frame["person"]["id"] == self.who.id:
            del self.talks[frame["conversation"]]
        else:
            del talk.members[frame["person"]["id"]]

    def _trimmed(self, talk: Talk, frame: dict[str, Any]) -> None:
        floor = frame["floor"]
        gone = {message["message"] for message in talk.messages if message["seq"] <= floor}
        talk.messages = [message for message in talk.messages if message["seq"] > floor]
        for message in talk.messages:
            if message.get("thread") in gone:
                del message["thread"]
        talk.you["first"] = max(talk.you["first"], floor + 1)
        for marked in [*talk.members.values(), talk.you]:
            for mark in ("delivered_seq", "read_seq"):
                marked[mark] = max(marked[mark], floor)

    def _changed(self, talk: Talk, frame: dict[str, Any]) -> None:
        talk.members[frame["person"]["id"]]["role"] = frame["role"]
        if frame["person"]["id"] == self.who.id:
            talk.you["role"] = frame["role"]

    def _updated(self, talk: Talk, frame: dict[str, Any]) -> None:
        now = frame["details"]
        for field in ("title", "description", "visibility"):
            talk.details[field] = now[field]
        for field in ("closed_at", "closed_reason", "inactive_at", "idle_days", "retention_days", "avatar"):
            for known in [talk.details] + ([talk.you] if field in ("closed_at", "avatar") else []):
                known.pop(field, None)
                known.update({field: now[field]} if field in now else {})
        if "inactive_at" in now:
            del self.talks[frame["conversation"]]
        talk.you["visibility"] = frame["details"]["visibility"]
        if talk.details["kind"] == "group":
            talk.you["title"] = frame["details"]["title"]


_SAID = (
    "media", "files", "location", "system", "actions", "metadata", "mentions", "pinned_at", "edits", "edited_at",
)  # fmt: skip
"""Fields that a message which says nothing does not have."""


def _rename(part: Any, person: dict[str, Any]) -> None:
    """The handle of a person, wherever they are named in `part`."""
    if isinstance(part, dict):
        if part.get("id") == person["id"] and "handle" in part:
            part["handle"] = person["handle"]
        for each in part.values():
            _rename(each, person)
    elif isinstance(part, list):
        for each in part:
            _rename(each, person)


_APPLY = {
    "message.posted": Client._posted,
    "message.edited": Client._became,
    "message.deleted": Client._became,
    "message.pinned": Client._became,
    "conversation.trimmed": Client._trimmed,
    "settings.changed": Client._settings,
    "receipt.read": Client._read,
    "receipt.delivered": Client._delivered,
    "member.joined": Client._joined,
    "member.left": Client._left,
    "member.changed": Client._changed,
    "conversation.updated": Client._updated,
}
