"""What is said of reactions is so: the OpenAPI document, and docs/plugins/reactions.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pytest
from chatnode_reactions import chatnode_plugin
from chatnode_reactions.emoji import EMOJI_OF, TYPES
from chatnode_reactions.model import Counted, ReactionsSettings

from chatnode.node import Node
from chatnode.testing import User
from tests.transport.clients import Http, serving
from tests.transport.test_http import validate

TEXT = (Path(__file__).parents[3] / "docs/plugins/reactions.md").read_text(encoding="utf-8")


async def test_the_document_describes_what_is_asked_and_answered(node: Node, ann: User) -> None:
    message = await ann.says(await ann.direct(ann), "well?")
    token = (await ann.call("tokens.create"))["token"]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("reactions.add", {"message": message, "emoji": "👍"}),
        ("reactions.add", {"message": message, "type": "love"}),
        ("reactions.list", {"message": message, "emoji": "❤", "limit": 1}),
        ("reactions.mine", {"messages": [message]}),
        ("reactions.set", {"message": message, "emojis": ["🎉"]}),
        ("reactions.remove", {"message": message}),
    ]
    assert {name for name, _ in asked} == {command.name for command in chatnode_plugin().commands}
    async with serving(node) as address, await Http.open(address) as http:
        document = (await http.request("GET", "/v1/openapi.json")).json
        for name, fields in asked:
            operation = document["paths"][f"/v1/{name}"]["post"]
            validate(document, operation["requestBody"]["content"], fields)
            answer = await http.call(name, token, **fields)
            assert answer.status == 200, (name, answer.body)
            validate(document, operation["responses"]["200"]["content"], answer.json)


def test_the_page_names_every_field_type_and_emoji() -> None:
    [collection] = chatnode_plugin().collections
    names = [*(field.name for field in collection.fields), *TYPES]
    assert [name for name in names if f"`{name}`" not in TEXT] == []
    assert [emoji for emoji in EMOJI_OF.values() if emoji not in TEXT] == []
    assert all(f'"{field.name}":' in TEXT for field in attrs.fields(Counted))


@pytest.mark.parametrize("field", attrs.fields(ReactionsSettings), ids=lambda field: field.name)
def test_settings_are_told_in_their_own_words(field: Any) -> None:
    assert re.search(rf"^\| `{field.name}` \| {field.default} \| {re.escape(field.metadata['help'][:-1])}", TEXT, re.M)
