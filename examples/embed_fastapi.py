"""A FastAPI program with a chat in it: users signed in to the program are signed in to the chat.

    uvicorn --app-dir examples embed_fastapi:app --timeout-graceful-shutdown 5

The chat is at /chat/, in the directory chat-data or $CHAT_DATA. `POST /sign-in/ann` signs in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from starlette.middleware.sessions import SessionMiddleware

from chatnode.embed.aio import Node


def signed_in(scope: Mapping[str, Any]) -> str | None:
    """Who is signed in to this program, by what its session says."""
    user = scope["session"].get("user")
    return f"app:{user}" if user else None


chat = Node(os.environ.get("CHAT_DATA", "chat-data"), identify=signed_in, profile=lambda user: {"handle": user})
app = FastAPI(lifespan=chat.lifespan)
app.add_middleware(SessionMiddleware, secret_key=os.environ.get("APP_SECRET", "change me"))
app.mount("/chat", chat.asgi())


@app.post("/sign-in/{user}")
async def sign_in(user: str, request: Request) -> str:
    """A real program asks for a password here."""
    request.session["user"] = user
    return f"hello, {user}"


@app.post("/orders/{number}/paid")
async def paid(number: int, request: Request) -> str:
    """Tells the customer. Because of the cid, a repeated call posts nothing twice."""
    customer = await chat.admit(f"app:{request.session['user']}")
    shop = chat.bot("shop")
    talk = await shop.conversations.direct(with_=customer.id)
    posted = await shop.messages.post(
        conversation=talk.conversation, text=f"Order {number} is paid", cid=f"paid-{number}"
    )
    return posted.message
