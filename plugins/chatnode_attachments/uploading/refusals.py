"""Refusals of uploads as responses: with a status of HTTP or tus, and header fields that tell a client how to go on."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chatnode.api import Refusal, Response
from chatnode_attachments.store.refusals import OffsetMismatch


class UploadRefusal(Refusal):
    """A refusal with a status that the node's own codes do not have, and header fields."""

    def __init__(
        self, status: int, message: str, *, path: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__("bad_request", message, path=path)
        self.headers = headers or {}
        self._status = status

    @property
    def status(self) -> int:
        return self._status


def refused(refusal: Refusal, headers: Mapping[str, str]) -> Response:
    """The node's form of a refusal, with `headers` and those that the refusal brings."""
    fields = dict(headers)
    if isinstance(refusal, UploadRefusal):
        fields |= refusal.headers
    if isinstance(refusal, OffsetMismatch):
        fields["Upload-Offset"] = str(refusal.offset)
    if refusal.retry_after is not None:
        fields["Retry-After"] = str(int(refusal.retry_after) + 1)
    return Response(json.dumps({"error": refusal.as_json()}), refusal.status, "application/json", fields)
