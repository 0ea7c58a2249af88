"""Commands over HTTP, to set up a scenario and to inspect the stored data afterwards."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any

from attrs import frozen

from benchmarks.errors import BenchmarkError

TIMEOUT_SECONDS = 60
PAGE = 500  # messages asked for at a time; the most that the node gives


@frozen
class Person:
    """Someone with an account, and the token of one device."""

    handle: str
    token: str


@frozen
class HttpClient:
    """One connection that is kept open, used by one person."""

    connection: HTTPConnection
    token: str

    def call(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The command's answer."""
        self.connection.request(
            "POST",
            f"/v1/{command}",
            json.dumps(arguments),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        response = self.connection.getresponse()
        body = response.read()
        if response.status >= 300:
            raise BenchmarkError(f"{command}: {response.status} {body.decode(errors='replace')}")
        return json.loads(body)

    def seconds(self, command: str, **arguments: Any) -> float:
        """Seconds from sending the command to the last byte of its answer."""
        body = json.dumps(arguments)
        start = time.perf_counter()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.connection.request("POST", f"/v1/{command}", body, headers)
        response = self.connection.getresponse()
        answer = response.read()
        took = time.perf_counter() - start
        if response.status >= 300:
            raise BenchmarkError(f"{command}: {response.status} {answer.decode(errors='replace')}")
        return took

    def health(self) -> dict[str, Any]:
        """The node's health, by part."""
        self.connection.request("GET", "/health", headers={"Authorization": f"Bearer {self.token}"})
        return json.loads(self.connection.getresponse().read())["parts"]

    def add_people(self, count: int, prefix: str) -> list[Person]:
        """New people ``prefix0``, ``prefix1``, … with a token each; for an administrator."""
        people = []
        for number in range(count):
            handle = f"{prefix}{number}"
            self.call("people.create", handle=handle)
            people.append(Person(handle, self.call("tokens.create", person=handle)["token"]))
        return people

    def stored_cids(self, conversation: str) -> Iterator[str]:
        """The client ids of all messages in a conversation, from the first to the last."""
        after = 0
        while page := self.call("messages.list", conversation=conversation, after=after, limit=PAGE)["messages"]:
            yield from (message["cid"] for message in page)
            after = page[-1]["seq"]

    def head(self, conversation: str) -> int:
        """The ``seq`` of the newest message, or 0."""
        newest = self.call("messages.list", conversation=conversation, limit=1)["messages"]
        return newest[-1]["seq"] if newest else 0


@contextmanager
def http_client(port: int, token: str) -> Iterator[HttpClient]:
    """A client of the server on this port."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)) as connection:
        yield HttpClient(connection, token)
