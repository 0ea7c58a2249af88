"""What plugins add to storage, guarded: a plugin that fails does the least harm, and is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs

from chatnode.config import Plugins as Settings
from chatnode.errors import Refusal
from chatnode.hooks.guard import HookFailed, ReportFailure, describe_error, guard
from chatnode.hooks.transient_errors import cannot_check, is_transient
from chatnode.hooks.work import WorkKind
from chatnode.model.events import Event
from chatnode.model.records import record
from chatnode.protocol import codec
from chatnode.storage.engine.additions import EventKind
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.filters.collection import Asker, Collection, Field
from chatnode.storage.work import work


@record(frozen=True)
class Guarded:
    """What one plugin adds."""

    plugin: str
    settings: Settings
    report: ReportFailure

    def event(self, kind: EventKind) -> EventKind:
        """An event that cannot be rebuilt is left out, so that clients that were away can still resume."""
        hook = f"event {kind.event.name}"

        def or_left_out(function: Callable[..., Event | None], wanted: type[Event]) -> Callable[..., Event | None]:
            guarded = guard(function, self.plugin, hook, self.settings.hook_seconds, self.report)

            def call(*arguments: Any) -> Event | None:
                try:
                    event = guarded(*arguments)
                    if event is not None and not isinstance(event, wanted):
                        self.report(hook, f"returned {type(event).__name__} instead of {wanted.__name__}")
                        return None
                    codec.encode(event)
                except (HookFailed, Refusal):
                    return None
                except TypeError:
                    self.report(hook, "has a value that cannot be encoded")
                    return None
                return event

            return call

        show = or_left_out(kind.show, Event) if kind.show is not None else None
        return attrs.evolve(kind, make=or_left_out(kind.make, kind.event), show=show)

    def end_of_work(self, kind: WorkKind) -> Callable[[Transaction, int], None]:
        """If `WorkKind.ended` fails, the part of the transaction that it did is refused."""
        assert kind.ended is not None
        seconds = self.settings.transaction_seconds
        guarded = guard(kind.ended, self.plugin, f"work {kind.name}", seconds, self.report)

        def tell(tx: Transaction, key: int) -> None:
            try:
                guarded(tx, work.ended(tx, key))
            except HookFailed as failed:
                raise failed.as_refusal() from failed

        return tell

    def collection(self, collection: Collection) -> Collection:
        """If `learn` fails, queries are refused rather than run without the fields."""
        if (asked := collection.learn) is None:
            return collection

        def learn_all(source: Querying, asker: Asker) -> tuple[Field, ...]:
            learned = tuple(asked(source, asker))
            attrs.evolve(collection, fields=(*collection.fields, *learned))  # refuses names that are taken or no names
            return learned

        what = f"collection {collection.name}"
        learn = guard(learn_all, self.plugin, what, self.settings.hook_seconds, self.report)

        def learn_or_refuse(source: Querying, asker: Asker) -> Iterable[Field]:
            try:
                return learn(source, asker)
            except HookFailed as failure:
                raise failure.as_refusal() from failure

        return attrs.evolve(collection, learn=learn_or_refuse)

    def check(self, check: Callable[[Reader, Path], list[str]], directory: Path) -> Callable[[Reader], list[str]]:
        """The problems that the plugin's own check finds. It may take as long as the node's own checks.

        A check that cannot run now, such as for want of files, says nothing of the plugin's data: it raises `Refusal`.
        """

        def problems(reader: Reader) -> list[str]:
            try:
                return list(check(reader, directory))
            except Exception as error:
                if is_transient(error):
                    raise cannot_check(self.plugin, error) from error
                self.report("check", describe_error(error), error)
                return [f"the check of the plugin {self.plugin} raised {type(error).__name__}: {error}"]

        return problems
