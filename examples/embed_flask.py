"""A Flask program with a chat beside it: the node runs in a thread, and has a port of its own.

    gunicorn --chdir examples --workers 1 --threads 8 embed_flask:app

Browsers and other clients find the chat at the address that `GET /chat` leads to, and its data is in the directory
chat-data or $CHAT_DATA.
"""

from __future__ import annotations

import os

from flask import Flask, redirect
from werkzeug.wrappers import Response

from chatnode.embed.threads import Node

chat = Node(os.environ.get("CHAT_DATA", "chat-data"), serve=os.environ.get("CHAT_BIND", "127.0.0.1:8008")).start()
app = Flask(__name__)


@app.get("/chat")
def to_chat() -> Response:
    """Where the chat is."""
    return redirect(chat.url)


@app.post("/orders/<customer>/<int:number>/paid")
def paid(customer: str, number: int) -> str:
    """Tells a user of the chat. Because of the cid, a repeated call posts nothing twice."""
    shop = chat.bot("shop")
    talk = shop.conversations.direct(with_=customer)
    posted = shop.messages.post(conversation=talk.conversation, text=f"Order {number} is paid", cid=f"paid-{number}")
    return posted.message
