"""Errors go from one process to another: pools of processes send what a function raised."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

import chatnode.api
import chatnode.client
import chatnode.embed
from chatnode.api import Disconnected
from chatnode.client.errors import SignedOut, UnknownRefusal, Unreachable
from chatnode.embed import ConnectionLost, InUse, NodeGone, Refusal, StartError
from chatnode.outbound.errors import Blocked, BodyTooLarge, Failed, OutboundError, Paused, TimedOut, Unwanted
from chatnode.storage.filters.kinds import Fault

PUBLIC = [
    Refusal("invalid", "text is too long", path="text"),
    Refusal("rate_limited", "too many", retry_after=2.5),
    SignedOut("this token was revoked"),
    UnknownRefusal("odd", "not today", path="x", temporary=True, retry_after=1.0),
    InUse("data", 42),
    StartError("no directory"),
    Unreachable("no node"),
    NodeGone("closed"),
    ConnectionLost("ended"),
    OutboundError("away"),
    Blocked("private"),
    Failed("away"),
    TimedOut("slow"),
    BodyTooLarge("long"),
    Unwanted("other"),
    Paused("resting", 12.5),
    Fault("no such field"),
    Disconnected("the client went away"),
]


def test_every_public_error_is_here() -> None:
    found = {
        each
        for module in (chatnode.api, chatnode.embed, chatnode.client)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, BaseException) and each.__module__.startswith("chatnode")
    }
    assert found <= {type(each) for each in PUBLIC}


@pytest.mark.parametrize("error", PUBLIC, ids=repr)
def test_it_is_the_same_after_the_way(error: Exception) -> None:
    error.add_note("in the other process")
    for other in (pickle.loads(pickle.dumps(error)), pickle.loads(pickle.dumps(error, 0)), copy.copy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert vars(other) == vars(error)


def refuse() -> None:
    raise Refusal("not_found", "no such message", path="message")


def test_a_pool_gives_back_a_refusal() -> None:
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(Refusal, match="no such message") as raised,
    ):
        pool.submit(refuse).result(60)
    assert raised.value.path == "message"
