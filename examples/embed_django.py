"""A Django site in one file with a chat in it: users signed in to the site are signed in to the chat.

    uvicorn --app-dir examples embed_django:application --timeout-graceful-shutdown 5

The chat is at /chat/, in the directory chat-data or $CHAT_DATA. `POST /sign-in/ann` signs in, with a signed cookie. A
site with a database would look its user up in `signed_in`, which may be async.
"""
# Django has no types.
# pyright: basic
# pyright: reportArgumentType=false

from __future__ import annotations

import os
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse
from django.urls import path

from chatnode.embed.aio import Node

settings.configure(
    ROOT_URLCONF=__name__, SECRET_KEY=os.environ.get("APP_SECRET", "change me"), ALLOWED_HOSTS=["*"], USE_TZ=True
)


def signed_in(scope: Mapping[str, Any]) -> str | None:
    """Who is signed in to this site, by its cookie."""
    cookies = SimpleCookie(dict(scope["headers"]).get(b"cookie", b"").decode("latin-1"))
    try:
        return f"app:{Signer().unsign(cookies['user'].value)}"
    except (KeyError, BadSignature):
        return None


chat = Node(os.environ.get("CHAT_DATA", "chat-data"), identify=signed_in, profile=lambda user: {"handle": user})


async def sign_in(request: HttpRequest, user: str) -> HttpResponse:
    """A real site asks for a password here."""
    response = HttpResponse(f"hello, {user}")
    response.set_cookie("user", Signer().sign(user), httponly=True, samesite="Lax")
    return response


async def paid(request: HttpRequest, user: str, number: int) -> HttpResponse:
    """Tells the customer. Because of the cid, a repeated call posts nothing twice."""
    customer = await chat.admit(f"app:{user}")
    shop = chat.bot("shop")
    talk = await shop.conversations.direct(with_=customer.id)
    posted = await shop.messages.post(
        conversation=talk.conversation, text=f"Order {number} is paid", cid=f"paid-{number}"
    )
    return HttpResponse(posted.message)


urlpatterns = [path("sign-in/<str:user>", sign_in), path("paid/<str:user>/<int:number>", paid)]
application = chat.wrap(get_asgi_application(), "/chat")
