"""Refusals that uploading over HTTP answers with a status of their own."""

from __future__ import annotations

from chatnode.api import Refusal
from chatnode_attachments.store.rows import Upload


class OffsetMismatch(Refusal):
    """The client continues at another offset than the upload's; `offset` is where it must."""

    def __init__(self, offset: int) -> None:
        super().__init__("conflict", f"the upload has {offset} bytes; continue there", path="offset")
        self.offset = offset


def check_offset(upload: Upload, offset: int) -> None:
    """Raises `OffsetMismatch`."""
    if offset != upload.durable:
        raise OffsetMismatch(upload.durable)


class UploadGone(Refusal):
    """The upload was terminated, has expired, or went with its user."""

    def __init__(self) -> None:
        super().__init__("gone", "this upload was removed or has expired; begin a new one", path="upload")


class UploadLocked(Refusal):
    """Another request for the upload did not end in time."""

    def __init__(self) -> None:
        super().__init__("conflict", "another request for this upload is still at work; try again", retry_after=5)

    @property
    def status(self) -> int:
        return 423


class UploadTakenOver(Refusal):
    """A later request for the same upload ended this one."""

    def __init__(self) -> None:
        super().__init__("conflict", "a later request for this upload took over")


class ChecksumMismatch(Refusal):
    """What came is not what the client sent; nothing of it was kept."""

    def __init__(self) -> None:
        super().__init__("invalid", "the bytes do not have this checksum; send them again", path="checksum")

    @property
    def status(self) -> int:
        return 460


class DiskFull(Refusal):
    """There is no room on the node's disk. What was received before is kept."""

    def __init__(self) -> None:
        super().__init__("unavailable", "the disk is full; try again later", retry_after=60)

    @property
    def status(self) -> int:
        return 507


class ReceivingIdle(Refusal):
    """Nothing came for too long. What was received before is kept."""

    def __init__(self, seconds: float) -> None:
        super().__init__("unavailable", f"nothing was received for {seconds:g} seconds; continue the upload")

    @property
    def status(self) -> int:
        return 408
