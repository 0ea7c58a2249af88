"""Users who fetch files over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatnode.node import Node
from chatnode.testing import User
from tests.transport.clients import Address, Http, Response, bearer


class Reader(User):
    """A user with a token, which every request brings."""

    address: Address
    bearer: Mapping[str, str]

    @classmethod
    async def at(cls, address: Address, node: Node, handle: str, **more: Any) -> Reader:
        who = await cls.new(node, handle, **more)
        who.address, who.bearer = address, bearer(await who.token())
        return who

    async def gets(self, target: str, *, method: str = "GET", **headers: str) -> Response:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return await fetch(self.address, target, method, {**self.bearer, **fields})

    async def asks(self, name: str, /, **fields: Any) -> Any:
        """Run a command over HTTP, with the session of the token; the result, or the code of the refusal."""
        async with await Http.open(self.address) as http:
            answer = await http.call(name, self.bearer["Authorization"].removeprefix("Bearer "), **fields)
        return answer.json if answer.status == 200 else answer.error["code"]


async def fetch(
    address: Address, target: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Response:
    """One request on a connection of its own; without `headers`, by somebody who is not signed in."""
    async with await Http.open(address) as http:
        return await http.request(method, target, headers=headers)
