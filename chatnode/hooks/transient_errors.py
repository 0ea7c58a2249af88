"""Tells transient errors from those that a retry will not cure."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import cast

from chatnode.errors import Refusal
from chatnode.hooks.guard import describe_error
from chatnode.storage.engine.group import is_full, storage_error

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def is_transient(error: BaseException) -> bool:
    """Whether the cause of a failure is a lack of room or of files, or another that may pass, so that the same work may
    succeed later."""
    return all(_is_transient(each) for each in _leaves(error))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(each)
    else:
        yield error


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, Refusal):
        return error.temporary
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return is_full(storage_error(error))


def cannot_check(plugin: str, error: BaseException) -> Refusal:
    """Says that the data of a plugin cannot be checked now, because of a failure that may pass."""
    return Refusal("unavailable", f"the plugin {plugin} cannot be checked now: {describe_error(error)}", retry_after=5)
