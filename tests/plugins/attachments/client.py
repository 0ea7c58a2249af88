"""A client that also shows files and pictures of people, as docs/plugins/attachments.md has it.

- `message.posted`: `files` has what `extra.attachments` does not say yet. Without `scan` a file can be fetched.
- `attachments.changed`: here are all files of a message as they are now.
- `message.deleted`, `person.erased`: what is deleted has no files.
- `person.updated`: the person's picture, too. `person.erased`: nobody has one.
- `attachments.infected`: something to tell the user; nothing that is shown changes.
"""

from __future__ import annotations

from typing import Any

import attrs

from tests.properties.client_model import Client


@attrs.define
class FilesClient(Client):
    """`pictures` are the addresses of the pictures of people."""

    pictures: dict[str, str | None] = attrs.field(factory=dict[str, str | None])

    async def begin(self, inbox: dict[str, Any] | None = None) -> None:
        await super().begin(inbox)
        await self._fetch_pictures()

    async def settle(self) -> None:
        await super().settle()
        await self._fetch_pictures()

    async def _fetch_pictures(self) -> None:
        """Of people whom it did not know."""
        for id in self._known() - self.pictures.keys():
            self.pictures[id] = (await self.who.call("people.get", person=id))["person"].get("avatar")

    def _known(self) -> set[str]:
        return {id for talk in self.talks.values() for id in talk.members}

    def state(self) -> dict[str, Any]:
        state = {**super().state(), "pictures": {id: self.pictures[id] for id in self._known()}}
        return _comparable(state)

    def apply(self, frame: dict[str, Any]) -> None:
        if not frame["event"].startswith("attachments."):
            super().apply(frame)
            if frame["event"] == "message.posted" and "files" in frame["message"]:
                files = frame["message"]["files"]
                frame["message"]["extra"] = {"attachments": {each["file"]: _shown(each) for each in files}}
            return
        assert frame["gid"] > self.gid
        self.gid = frame["gid"]
        if frame["event"] == "attachments.changed" and frame["conversation"] not in self.stale:
            talk = self.talks[frame["conversation"]]
            [message] = [each for each in talk.messages if each["message"] == frame["message"]]
            message["extra"] = {"attachments": {each["file"]: _shown(each) for each in frame["files"]}}
            talk.count(self.who.id)

    def _person_updated(self, person: dict[str, Any]) -> None:
        super()._person_updated(person)
        self.pictures[person["id"]] = person.get("avatar")

    def _person_erased(self, person: dict[str, Any], at: str) -> None:
        super()._person_erased(person, at)
        self.pictures[person["id"]] = None
        for talk in self.talks.values():
            for message in talk.messages:
                if "deleted_at" in message:
                    message.pop("extra", None)


def _shown(file: dict[str, Any]) -> dict[str, Any]:
    """What `extra.attachments` has of a file, from what an event says of it."""
    return {
        "scan": file.get("scan", "safe"),
        "quarantined": file.get("quarantined", False),
        "thumbs": file.get("thumbs", []),
    }


def _comparable(part: Any) -> Any:
    """Without whether a file that can be fetched was scanned, which the posting does not tell."""
    if isinstance(part, dict):
        fetched = {"scan": "safe"} if part.get("scan") == "off" else {}
        return {name: _comparable(value) for name, value in {**part, **fetched}.items()}
    return [_comparable(each) for each in part] if isinstance(part, list) else part


async def fresh(somebody: Any) -> FilesClient:
    """A client with a snapshot of how things are."""
    client = FilesClient(somebody)
    await client.begin()
    return client
