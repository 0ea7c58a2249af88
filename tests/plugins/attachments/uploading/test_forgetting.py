"""What a client said of a file goes with the file."""

from __future__ import annotations

from typing import Any

from tests.plugins.attachments.store.storing import rows
from tests.plugins.attachments.uploading.tus_client import TusClient, metadata

SAID = metadata(filename="to my lawyer.txt", filetype="text/plain")


async def left(ann: TusClient) -> list[Any]:
    """What the rows of uploads and files still say; they stay to answer that the upload ended."""
    found = await rows(ann.node, "SELECT name, metadata, declared FROM attachments_uploads ORDER BY key")
    return [value for row in found for value in row if value]


async def posted(ann: TusClient, talk: str) -> tuple[str, str]:
    path = await ann.begins(2, Upload_Metadata=SAID)
    await ann.sends(path, b"hi", 0)
    assert (await ann.looks(path)).headers["upload-metadata"] == SAID
    file = path.rpartition("/")[2]
    post = {"conversation": talk, "cid": file, "kind": "file", "text": "here", "files": [{"file": file}]}
    return (await ann.user.call("messages.post", **post))["message"], file


async def test_what_was_said_of_an_upload_goes_with_the_file(ann: TusClient, bob: TusClient) -> None:
    talk = await ann.user.direct(bob.user)
    message, file = await posted(ann, talk)
    await ann.user.call("attachments.remove", message=message, file=file)
    assert await left(ann) == []

    message, _ = await posted(ann, talk)
    await ann.user.call("messages.delete", message=message)
    assert await left(ann) == []


async def test_what_was_said_of_an_upload_goes_when_it_is_given_up(ann: TusClient) -> None:
    path = await ann.begins(2, Upload_Metadata=SAID)
    assert len(await left(ann)) == 3
    await ann.removes(path)
    assert await left(ann) == []
    assert (await ann.looks(path)).status == 410
