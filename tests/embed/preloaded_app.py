"""A web application that starts its node when it is imported, as it must not be under `gunicorn --preload`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from chatnode.embed import NodeGone
from chatnode.embed.threads import Node

chat = Node(os.environ["WORKERS_DATA"]).start()


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    try:
        answer = str(chat.operator.call("node.info"))
    except NodeGone as error:
        answer = str(error)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]
