"""Origins that are left alone for a while: those that fail, and those that asked for it."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime

import trio

from chatnode.model.records import record
from chatnode.outbound.errors import BodyTooLarge, Failed, Paused, Unwanted

FAILURES = 5
"""As many in a row open an origin's breaker."""
FIRST_SECONDS, MOST_SECONDS = 30.0, 600.0
"""How long it stays open; doubled each time that the request sent after that fails too."""
MOST_RETRY_AFTER_SECONDS = 3_600.0
MOST_HELD_SECONDS = 60.0
"""For as long others are held back too by what one answer asks for: many users' receivers may be at one origin, and
each speaks for itself. Who was answered waits for as long as it says."""
PROBE_SECONDS = 5.0
"""When to ask again while another request finds out whether the origin is back."""
MOST_ORIGINS = 4_096

BUSY = (429, 503)
"""Statuses whose Retry-After is heeded, by all requests of the purpose: services ban senders that ignore it."""
DOWN = (502, 503, 504)
"""Statuses by which a gateway says that what is behind it does not work. 500 may be about one URL."""


@record
class _State:
    failures: int = 0
    openings: int = 0
    open_until: float = float("-inf")
    held_until: float = float("-inf")
    """As its Retry-After asked for."""
    probing: bool = False

    @property
    def until(self) -> float:
        return max(self.open_until, self.held_until)


class Breakers:
    """One for each purpose and origin that fails. Times are those of `trio.current_time`.

    By purpose, because users choose what some of them fetch: a link to a page that hangs must not stop the pushes.
    """

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], _State] = {}

    @property
    def open(self) -> int:
        """How many origins are left alone now."""
        now = trio.current_time()
        return sum(now < state.until for state in self._states.values())

    def check(self, purpose: str, origin: str) -> None:
        """Raises `Paused` while the origin is left alone."""
        state = self._states.get((purpose, origin))
        if state is not None and (left := state.until - trio.current_time()) > 0:
            raise Paused(f"{origin} gets no requests for {left:.0f} s, because it failed or requested a pause", left)

    @contextmanager
    def attempt(self, purpose: str, origin: str, *, slowness_counts: bool = True) -> Generator[None]:
        """Around a request. After an opening, one request is tried first. Raises `Paused`.

        `Failed` counts, and `trio.TooSlowError` if `slowness_counts`.
        """
        self.check(purpose, origin)
        state = self._states.get((purpose, origin))
        if state is not None and state.openings:
            if state.probing:
                raise Paused(f"{origin} failed, and is being tried again", PROBE_SECONDS)
            state.probing = True
        else:
            state = None
        try:
            yield
        except (Paused, BodyTooLarge, Unwanted):
            raise
        except trio.TooSlowError:
            if slowness_counts:
                self._failed((purpose, origin))
            raise
        except Failed:
            self._failed((purpose, origin))
            raise
        finally:
            if state is not None:
                state.probing = False

    def answered(self, purpose: str, origin: str, status: int, retry_after: str) -> None:
        """It has answered. `retry_after` is the header's text, empty without one."""
        wait = read_retry_after(retry_after) if status in BUSY else None
        if wait is not None:
            state = self._state((purpose, origin))
            state.held_until = max(state.held_until, trio.current_time() + min(wait, MOST_HELD_SECONDS))
        elif status in DOWN:
            self._failed((purpose, origin))
        elif (
            state := self._states.pop((purpose, origin), None)
        ) is not None and trio.current_time() < state.held_until:
            self._states[purpose, origin] = _State(held_until=state.held_until)  # another request was told to wait

    def _failed(self, key: tuple[str, str]) -> None:
        now = trio.current_time()
        state = self._state(key)
        state.failures += 1
        if now < state.open_until or (state.failures < FAILURES and not state.openings):
            return  # one of several that were under way when it opened, or too few
        state.open_until = now + min(MOST_SECONDS, FIRST_SECONDS * 2**state.openings)
        state.openings = min(state.openings + 1, 10)

    def _state(self, key: tuple[str, str]) -> _State:
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = _State()
            if len(self._states) > MOST_ORIGINS:
                del self._states[next(iter(self._states))]
        return state


def read_retry_after(text: str, most: float = MOST_RETRY_AFTER_SECONDS) -> float | None:
    """The seconds that the header `Retry-After` asks to wait, up to `most`, given in seconds or as a date.

    None without the header, and for one that cannot be understood (RFC 9110, section 10.2.3).
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), most)
    try:
        at = parsedate_to_datetime(text)
        wait = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0.0), most)
