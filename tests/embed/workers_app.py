"""A web application of three workers, each with the same chat: see test_workers.py."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from chatnode.embed.aio import Node

chat = Node(os.environ["WORKERS_DATA"], attach="auto")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[None]:
    async with chat:
        yield


async def prepare(request: Request) -> JSONResponse:
    await chat.operator.people.create(handle="ann")
    room = await chat.person("ann").conversations.create(title="orders")
    return JSONResponse({"room": room.conversation})


async def post(request: Request) -> JSONResponse:
    """Post, and read what was posted."""
    ann, asked = chat.person("ann"), request.query_params
    posted = await ann.messages.post(conversation=asked["room"], text=asked["cid"], cid=asked["cid"])
    read = await ann.messages.get(message=posted.message)
    return JSONResponse({"text": read.message.text, "process": os.getpid()})


async def who(request: Request) -> JSONResponse:
    return JSONResponse({"process": os.getpid()})


app = Starlette(
    routes=[
        Route("/prepare", prepare, methods=["POST"]),
        Route("/post", post, methods=["POST"]),
        Route("/who", who),
    ],
    lifespan=lifespan,
)
