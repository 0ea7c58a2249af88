"""A Starlette program with a chat in it.

    uvicorn --app-dir examples embed_starlette:app --timeout-graceful-shutdown 5
    hypercorn examples/embed_starlette:app

The chat is at /chat/, in the directory chat-data or $CHAT_DATA, with users and passwords of its own.
"""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from chatnode.embed.aio import Node

chat = Node(os.environ.get("CHAT_DATA", "chat-data"))


async def greet(request: Request) -> PlainTextResponse:
    """A bot of the program's writes to a user of the chat."""
    host = chat.bot("host")
    talk = await host.conversations.direct(with_=request.path_params["user"])
    posted = await host.messages.post(conversation=talk.conversation, text="Welcome!")
    return PlainTextResponse(posted.message)


app = Starlette(
    routes=[Route("/greet/{user}", greet, methods=["POST"]), Mount("/chat", chat.asgi())], lifespan=chat.lifespan
)
