"""What the storage ought to say, kept in plain lists and dicts.

It knows the rules of chatnode (who may do what, what counts as unread) and nothing of how they are stored.
"""

from __future__ import annotations

import attrs

from chatnode.errors import Refusal
from chatnode.model.conversations import RANK
from chatnode.model.mentions import mentioned_handles


@attrs.define
class Said:
    """A message."""

    id: str
    seq: int
    gid: int
    sender: str
    cid: str
    text: str
    reply_to: str | None
    names: set[str]


@attrs.define
class Part:
    """How somebody takes part."""

    role: str
    first: int
    read: int
    delivered: int
    joined_gid: int


@attrs.define
class Talk:
    """A conversation. `were_in` are those who took part once and do not now."""

    id: str
    kind: str
    visibility: str
    history: str
    title: str
    activity: int
    said: list[Said] = attrs.field(factory=list[Said])
    parts: dict[str, Part] = attrs.field(factory=dict[str, Part])
    were_in: set[str] = attrs.field(factory=set[str])

    @property
    def head(self) -> int:
        return len(self.said)


@attrs.define
class Seen:
    """An event that somebody was sent live. `superseded`: of an earlier time in the conversation; whoever comes
    back is told to fetch the conversation anew."""

    gid: int
    name: str
    conversation: str | None
    json: bytes
    personal: bool
    superseded: bool = False


@attrs.define
class Model:
    """Everything, by handle and by conversation id; `keys` are the storage's keys of people."""

    keys: dict[str, int] = attrs.field(factory=dict[str, int])
    talks: dict[str, Talk] = attrs.field(factory=dict[str, Talk])
    seen: dict[str, list[Seen]] = attrs.field(factory=dict[str, list[Seen]])
    head: int = 0

    # ---- who may; each raises the refusal that is due

    def access(self, who: str, talk: Talk) -> Part:
        if who in talk.parts:
            return talk.parts[who]
        raise Refusal("not_member" if who in talk.were_in else "not_found", "by the model")

    def manage(self, who: str, talk: Talk) -> Part:
        part = self.access(who, talk)
        if talk.kind == "direct" or part.role == "member":
            raise Refusal("forbidden", "by the model")
        return part

    def may_post(self, who: str, talk: Talk, reply_to: str | None) -> None:
        part = self.access(who, talk)
        if reply_to is not None and not any(said.id == reply_to and said.seq >= part.first for said in talk.said):
            raise Refusal("not_found", "by the model")

    def may_join(self, who: str, talk: Talk) -> bool:
        """Whether it changes anything."""
        if talk.visibility != "public":
            self.access(who, talk)
        return who not in talk.parts

    def may_leave(self, who: str, talk: Talk) -> None:
        self.access(who, talk)
        if talk.kind == "direct":
            raise Refusal("forbidden", "by the model")

    def may_add(self, who: str, talk: Talk, whom: str) -> bool:
        """Whether it changes anything."""
        self.access(who, talk)
        if talk.visibility != "public":
            self.manage(who, talk)
        return whom not in talk.parts

    def may_remove(self, who: str, talk: Talk, whom: str) -> None:
        own = self.manage(who, talk)
        if whom not in talk.parts:
            raise Refusal("not_found", "by the model")
        if RANK[talk.parts[whom].role] >= RANK[own.role]:
            raise Refusal("forbidden", "by the model")

    def may_set_role(self, who: str, talk: Talk, whom: str) -> None:
        if self.manage(who, talk).role != "owner":
            raise Refusal("forbidden", "by the model")
        if who == whom:
            raise Refusal("invalid", "by the model")
        if whom not in talk.parts:
            raise Refusal("not_found", "by the model")

    def may_update(self, who: str, talk: Talk, visibility: str | None) -> None:
        part = self.manage(who, talk)
        if visibility == "public" and talk.visibility == "private" and part.role != "owner":
            raise Refusal("forbidden", "by the model")

    def may_mark(self, who: str, talk: Talk, seq: int) -> None:
        self.access(who, talk)
        if seq > talk.head:
            raise Refusal("invalid", "by the model")

    # ---- what it does

    def said(self, who: str, talk: Talk, said: Said) -> None:
        said.names = {handle for handle in mentioned_handles(said.text) if handle in talk.parts}
        talk.said.append(said)
        talk.activity = said.gid
        talk.parts[who].read = talk.parts[who].delivered = said.seq

    def joined(self, who: str, talk: Talk, gid: int) -> None:
        """Who comes into a group in which nobody is owns it."""
        role = "owner" if talk.kind == "group" and not talk.parts else "member"
        first = 1 if talk.history == "all" else talk.head + 1
        talk.parts[who] = Part(role, first, talk.head, talk.head, gid)
        talk.were_in.discard(who)

    def left(self, who: str, talk: Talk) -> None:
        del talk.parts[who]
        talk.were_in.add(who)

    def heir(self, talk: Talk) -> str | None:
        """Who owns the group after its owner left: the longest-serving admin, else member."""
        ranked = sorted(
            talk.parts, key=lambda who: (talk.parts[who].role != "admin", talk.parts[who].joined_gid, self.keys[who])
        )
        return ranked[0] if ranked else None

    def marked(self, who: str, talk: Talk, kind: str, seq: int) -> bool:
        """Whether it moved the mark."""
        part = talk.parts[who]
        moved = seq > (part.read if kind == "read" else part.delivered)
        part.delivered = max(part.delivered, seq)
        if kind == "read":
            part.read = max(part.read, seq)
        return moved

    # ---- what somebody sees

    def visible(self, who: str, talk: Talk) -> list[Said]:
        return [said for said in talk.said if said.seq >= talk.parts[who].first]

    def inbox(self, who: str) -> list[dict[str, object]]:
        """Latest activity first."""
        entries: list[dict[str, object]] = []
        for talk in sorted(self.talks.values(), key=lambda talk: -talk.activity):
            part = talk.parts.get(who)
            if part is None:
                continue
            visible = self.visible(who, talk)
            peer = next((other for other in talk.parts if other != who), who) if talk.kind == "direct" else None
            entries.append(
                {
                    "conversation": talk.id, "kind": talk.kind,
                    "title": talk.title or peer, "visibility": talk.visibility,
                    "role": part.role, "head": talk.head, "first": part.first, "read_seq": part.read,
                    "delivered_seq": part.delivered, "members": len(talk.parts), "activity": talk.activity,
                    "unread": sum(said.seq > part.read for said in talk.said),
                    "mentions": sum(said.seq > part.read and who in said.names for said in talk.said),
                    "last": visible[-1].id if visible else None, "peer": peer, "closed_at": None, "settings": None,
                    "avatar": None,
                }
            )  # fmt: skip
        return entries
