"""`GET /items/<collection>`: the command `items.query` under an address of its own."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.config import Config, Limits, Server
from chatnode.node import Node
from chatnode.testing import User

from .clients import Address, ChatSocket, Http, Response, bearer


@pytest.fixture
def config() -> Config:
    return Config(server=Server(shutdown_seconds=1.0), limits=Limits(requests_per_minute=0))


async def get(http: Http, token: str | None, collection: str, **fields: Any) -> Response:
    if isinstance(fields.get("filter"), dict):
        fields["filter"] = json.dumps(fields["filter"])
    headers = bearer(token) if token else {}
    return await http.request("GET", f"/items/{collection}?{urlencode(fields)}", headers=headers)


async def test_all_ways_to_ask_give_the_same(http: Http, address: Address, ann: User, bob: User, anns: str) -> None:
    talk = await ann.direct(bob)
    for text in ("one", "two", "three"):
        await bob.says(talk, text)
    asked = {"filter": {"conversation_id": {"_eq": talk}}, "sort": "-seq", "limit": 2}
    by_address = await get(http, anns, "messages", **asked)
    assert [row["message_text"] for row in by_address.json["data"]] == ["three", "two"]
    by_post = await http.call("items.query", anns, collection="messages", **asked)
    by_get = await http.get(
        "items.query", anns, collection="messages", **asked | {"filter": json.dumps(asked["filter"])}
    )
    async with await ChatSocket.signed_in(address, anns) as chat:
        by_socket = await chat.call("items.query", collection="messages", **asked)
    assert by_address.json == by_post.json == by_get.json == by_socket
    following = await get(http, anns, "messages", **asked, after=by_address.json["next"])
    assert [row["message_text"] for row in following.json["data"]] == ["one"]
    assert "next" not in following.json


async def test_what_is_wrong_is_named(http: Http, anns: str) -> None:
    for collection, fields, status, path in (
        ("messages", {"filter": "{"}, 400, "filter"),
        ("messages", {"filter": ""}, 400, "filter"),
        ("messages", {"filter": "[]"}, 400, "filter"),
        ("messages", {"filter": '"x"'}, 400, "filter"),
        ("messages", {"filter": {"seq": {"_gt": "x"}}}, 400, "filter.seq._gt"),
        ("messages", {"limit": "x"}, 400, "limit"),
        ("messages", {"offset": "3"}, 400, "offset"),
        ("messages", {"filter": "[" * 40 + "]" * 40}, 400, "filter"),
        ("nothing", {}, 404, "collection"),
        ("audit", {}, 403, None),
    ):
        answer = await get(http, anns, collection, **fields)
        assert (answer.status, answer.error.get("path")) == (status, path), (collection, fields, answer.body)
    assert (await get(http, None, "messages")).status == 401


async def test_a_token_bounded_to_reading_reads_what_its_role_may(http: Http, ann: User) -> None:
    token = (await ann.call("tokens.create", scopes=["chat:read"]))["token"]
    assert (await get(http, token, "conversations")).status == 200
    assert (await get(http, token, "reports")).status == 403


async def test_the_document_describes_it(http: Http, ann: User, bob: User, anns: str) -> None:
    document = (await http.request("GET", "/v1/openapi.json")).json
    operation = document["paths"]["/items/{collection}"]["get"]
    assert {each["name"] for each in operation["parameters"]} == {
        "collection", "filter", "sort", "limit", "after", "group_by", "fields",
    }  # fmt: skip
    await ann.says(await ann.direct(bob), "hello")
    for fields, status in (({}, "200"), ({"group_by": "sender_id"}, "200"), ({"sort": "x"}, "default")):
        answer = await get(http, anns, "messages", **fields)
        schema = operation["responses"][status]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator(schema | {"components": document["components"]}).validate(answer.json)


texts = st.text(st.characters(codec="utf-8"), max_size=30)
fragments = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", '"', ":", ",", '"_and"', '"_or"', '"_not"', '"_eq"', '"_in"', '"seq"', '"created_at"', "1",
         "null", "true", '"message_text"', '"x"', "-1e999", "\\ud800", "{}", "[]"]
    ), max_size=14,
).map("".join)  # fmt: skip


async def test_nothing_that_is_sent_is_a_fault_of_ours(http: Http, node: Node, ann: User, bob: User, anns: str) -> None:
    await ann.says(await ann.direct(bob), "hello")
    sent: list[dict[str, str]] = []

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "filter": fragments | texts, "sort": texts | st.just("-seq"), "after": texts | st.just("W10"),
                "group_by": texts | st.just("sender_id"), "fields": texts, "limit": texts | st.just("5"),
            },
        )
    )  # fmt: skip
    def collect(fields: dict[str, str]) -> None:
        sent.append(fields)

    collect()
    for fields in sent:
        for collection in ("messages", "conversations"):
            answer = await get(http, anns, collection, **fields)
            assert answer.status in (200, 400, 413), (fields, answer.body)
