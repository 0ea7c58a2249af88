"""What a node is to a program on asyncio and to one with threads alike: its options, and who calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, get_args

from chatnode.embed.portal import START_SECONDS, Attach, NodePortal
from chatnode.errors import WrongKind

if TYPE_CHECKING:
    from chatnode.config import Config
    from chatnode.embed.portal import Acting

C = TypeVar("C")


class NodeHandle(ABC, Generic[C]):
    """`C` is the class of those who call."""

    def __init__(
        self,
        data: Path | str,
        *,
        config: Config | None = None,
        plugins: Iterable[Any] = (),
        serve: str = "",
        attach: Attach = "never",
        start_seconds: float = START_SECONDS,
    ) -> None:
        """Raises `ValueError` for what is none of the ways to attach, and without a directory; `TypeError` for an
        address that is no string."""
        if not str(data):
            raise ValueError('data is empty; use "." for the current directory')
        if attach not in get_args(Attach):
            raise ValueError(f"attach is {attach!r}; expected one of {', '.join(get_args(Attach))}")
        if not isinstance(cast("object", serve), str):
            raise WrongKind(f'serve must be an address and a port, such as "127.0.0.1:8008", not {serve!r}')
        self._inside = NodePortal(Path(data), config, plugins, serve, start_seconds, attach)

    @property
    def url(self) -> str:
        """Where the node serves; empty without `serve`."""
        return self._inside.url

    @property
    def operator(self) -> C:
        """The operator of the node: may run every command, but is no user and a member of no conversation."""
        return self._caller(self._inside.node.operator)

    def person(self, who: str, limits: bool = True) -> C:
        """The user with this handle or id: permissions, rate limits, hooks and audit apply as for any client.

        Its calls raise `Refusal("not_found")` if there is no such user. With `limits` false, no rate limits apply: for
        what the program does itself, in a user's name.
        """
        return self._caller(self._inside.node.person(who, limits))

    def bot(self, handle: str, create: bool = True) -> C:
        """The bot with this handle, which the first call creates unless `create` is false.

        Calls raise `Refusal("conflict")` if the handle is that of a user.
        """
        return self._caller(self._inside.node.bot(handle, create))

    @abstractmethod
    def _caller(self, acting: Acting) -> C: ...
