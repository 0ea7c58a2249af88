"""An upload by tus 1.0 (https://tus.io/protocols/resumable-upload): what to send next, and what an answer means.

No input or output here. The node's word about the offset is asked for again after whatever went wrong: nobody else
knows how much of what was sent arrived.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Literal

from chatnode.client.files.retrying import TryAgain, failure_of, is_of_node
from chatnode.errors import Refusal

UPLOADS = "/plugins/attachments/uploads"
REQUEST_BYTES = 32 * 2**20
"""Bytes in one request, so that what stands before the node need not let one of a gigabyte pass."""
_LEAST_REQUEST_BYTES = 2**18
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VERSION = {"Tus-Resumable": "1.0.0"}

Step = Literal["create", "find", "send"]


class TusUpload:
    """One upload. `id` is the node's, once there is one; the node has `offset` bytes for certain.

    `length` is what the node was told about the whole; None when it was not told yet.
    """

    def __init__(self, url: str, id: str | None = None) -> None:
        if id is not None and not _ID.fullmatch(id):
            raise Refusal("invalid", f"{id[:100]!r} is not the id of an upload", path="resume")
        self._url = url
        self._found = False
        self._most = REQUEST_BYTES
        self.id = id
        self.offset = 0
        self.length: int | None = None

    @property
    def done(self) -> bool:
        """Whether the node has everything, and knows it."""
        return self._found and self.offset == self.length

    @property
    def step(self) -> Step:
        """What to do next."""
        if self.id is None:
            return "create"
        return "send" if self._found else "find"

    @property
    def most(self) -> int:
        """Bytes for the next request."""
        return self._most

    @property
    def path(self) -> str:
        return UPLOADS if self.id is None else f"{UPLOADS}/{self.id}"

    # ---- requests

    def create_headers(self, length: int | None, metadata: Mapping[str, str]) -> dict[str, str]:
        given = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in metadata.items())
        size = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
        return {**_VERSION, **size, "Upload-Metadata": given}

    def find_headers(self) -> dict[str, str]:
        return dict(_VERSION)

    def send_headers(self, count: int, length: int | None) -> dict[str, str]:
        """For the next `count` bytes. The node is told the `length` when it is known by now."""
        size = {} if length is None or self.length is not None else {"Upload-Length": str(length)}
        return {
            **_VERSION,
            **size,
            "Upload-Offset": str(self.offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(count),
        }

    # ---- what came of them

    def lost(self) -> None:
        """No answer came: what the node has must be found out."""
        self._found = False

    def answered(self, status: int, headers: Mapping[str, str], body: bytes, length: int | None) -> None:
        """The answer to the step, which said the `length` if that is known. Raises `TryAgain`, or the node's
        `Refusal`."""
        step = self.step
        if not 200 <= status < 300:
            self._failed(step, status, headers, body)
        elif step == "create":
            self.id = self._id_in(headers.get("location", ""))
            self.offset, self.length = 0, length
            self._found = True
        else:
            self.offset = self._number(headers, "Upload-Offset")
            if step == "find":
                self.length = self._number(headers, "Upload-Length") if "upload-length" in headers else None
            elif length is not None:
                self.length = length
            self._found = True

    def begin_again(self) -> None:
        """The node does not have the upload any more: make another one."""
        self.id = self.length = None
        self.offset = 0
        self._found = False

    def _failed(self, step: Step, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._found = False
        failure = failure_of(self._url, status, headers, body)
        if step == "send":
            if status in (404, 410):
                failure = TryAgain(failure.refusal if isinstance(failure, TryAgain) else failure)  # find says why
            elif status == 413 and not is_of_node(body) and self._most > _LEAST_REQUEST_BYTES:
                self._most = max(self._most // 4, _LEAST_REQUEST_BYTES)  # a proxy's limit, which is not known
                return
        raise failure

    def _id_in(self, location: str) -> str:
        """The last part of the address. Where the node is, the client knows better than what a proxy may have made
        of it."""
        id = location.partition("?")[0].rstrip("/").rpartition("/")[2]
        if not _ID.fullmatch(id):
            raise self._strange("Location", location)
        return id

    def _number(self, headers: Mapping[str, str], name: str) -> int:
        text = headers.get(name.lower(), "")
        if not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise self._strange(name, text)
        return int(text)

    def _strange(self, header: str, value: str) -> Refusal:
        return Refusal("internal", f"{self._url} does not speak tus 1.0: {header} is {value[:100]!r}")
