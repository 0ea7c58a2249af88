"""A program that gets events by webhook, and verifies them with the library standardwebhooks.

    chatnode call webhooks.endpoints.add url=https://hooks.example.org/ kinds='["message.*"]' bot=robo
    WEBHOOK_SECRET=whsec_… python examples/webhook_receiver.py 8080

It listens on this machine: a reverse proxy with a certificate passes the requests on to it. A node on the same machine
may post to it directly, with `allow = ["127.0.0.1:8080"]` in the section `[outbound]` of its `config.toml`.
"""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

MOST_BYTES = 1_048_576
REMEMBERED = 10_000


def handle(event: dict[str, Any]) -> None:
    """What the program is for. What takes long should happen elsewhere: the node waits 15 seconds for the answer."""
    message = event["data"].get("message", {})
    print(event["type"], message.get("text", ""), flush=True)


class Receiver(ThreadingHTTPServer):
    """Answers 2xx once an event is handled, which the node then never sends again, except after a crash."""

    def __init__(self, port: int, secret: str) -> None:
        super().__init__(("127.0.0.1", port), Request)
        self.webhook = Webhook(secret)
        self.one_at_a_time = Lock()
        self.handled: OrderedDict[str, None] = OrderedDict()

    def receive(self, headers: dict[str, str], body: bytes) -> int:
        """The status to answer with. Raises what `handle` raises; the node then sends the event again later."""
        try:
            event = self.webhook.verify(body, headers)
        except (WebhookVerificationError, ValueError):
            return 401
        id = next(value for name, value in headers.items() if name.lower() == "webhook-id")
        with self.one_at_a_time:
            if id not in self.handled:  # an event may arrive twice; keep the ids on disk if that would do harm
                handle(event)
                self.handled[id] = None
                if len(self.handled) > REMEMBERED:
                    self.handled.popitem(last=False)
        return 204


class Request(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            status = 413
        else:
            status = self.server.receive(dict(self.headers.items()), self.rfile.read(length))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `handle` prints."""


if __name__ == "__main__":
    with Receiver(int(sys.argv[1]), os.environ["WEBHOOK_SECRET"]) as receiver:
        print("listening", flush=True)
        receiver.serve_forever()
