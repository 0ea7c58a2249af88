"""What files with the same content have in common."""

from __future__ import annotations

import pytest
from chatnode_attachments.images.workers import ImageWorkers

from tests.plugins.attachments import pictures
from tests.plugins.attachments.store.storing import Uploader


async def test_a_picture_that_could_not_be_decoded_is_one_when_it_is_uploaded_again(
    ann: Uploader, bob: Uploader, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = pictures.encoded(pictures.drawing(400, 300), "PNG")

    async def fail(*_: object, **__: object) -> None:
        return None

    with monkeypatch.context() as failing:
        failing.setattr(ImageWorkers, "prepare", fail)
        first = await ann.uploads(picture, as_file=True)
    assert (first.derive, first.width) == ("failed", None)
    again = await bob.uploads(picture, as_file=True)
    assert again.blob == first.blob
    assert (again.derive, again.width, again.height) == ("done", 400, 300)
    assert again.placeholder is not None
