"""`GET /v1/export`: everything about oneself as one stream of lines."""

from __future__ import annotations

import json

from chatnode.testing import User
from tests.services.dialogue import fill, token_of, with_limits

from .clients import Address, Http


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@with_limits(page_items=7)
async def test_it_streams_to_the_end(address: Address, ann: User, bob: User) -> None:
    await fill(ann, await ann.direct(bob), "mine", 30)
    token = (await token_of(ann)).secret
    async with await Http.open(address) as http:
        answer = await http.request("GET", "/v1/export", headers=bearer(token))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert "attachment" in answer.headers["content-disposition"]
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert lines[-1] == {"kind": "end", "entries": len(lines) - 1}
    assert sum(line["kind"] == "message" for line in lines) == 30


async def test_it_is_refused_as_the_command_is(address: Address, ann: User, bob: User) -> None:
    token, narrow = (await token_of(ann)).secret, (await token_of(ann, scopes=["chat"])).secret
    async with await Http.open(address) as http:
        assert (await http.request("GET", "/v1/export")).status == 401
        assert (await http.request("GET", "/v1/export", headers=bearer(narrow))).status == 403
        assert (await http.request("GET", "/v1/export?person=bob", headers=bearer(token))).status == 403
        assert (await http.request("GET", "/v1/export?surprise=1", headers=bearer(token))).status == 400
