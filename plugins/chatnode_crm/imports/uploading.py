"""The address that files are uploaded to."""

from __future__ import annotations

import json
from typing import Any

import attrs

from chatnode.api import Context, Refusal, Request, Response, Route
from chatnode_crm.imports.receiving import receive
from chatnode_crm.imports.showing import shown_import
from chatnode_crm.permissions import IMPORT
from chatnode_crm.settings import MIB, CrmSettings


async def upload(ctx: Context, request: Request) -> Response:
    """Store the body as the file of a new import."""
    if request.is_form:
        raise Refusal("invalid", "send the file as the body, not as a form", path="Content-Type")
    row = await receive(ctx, request.query.get("name", ""), request.chunks(), request.length)
    return Response(json.dumps({"import": as_json(shown_import(ctx, row))}), 201, "application/json")


def as_json(info: Any) -> dict[str, Any]:
    return {name: value for name, value in attrs.asdict(info).items() if value is not None}


def _most_bytes(settings: CrmSettings) -> int:
    return settings.import_mib * MIB


ROUTES = (Route("imports", upload, IMPORT, ("POST", "PUT"), "Upload a file to import.", most_bytes=_most_bytes),)
