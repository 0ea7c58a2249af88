"""``python -m benchmarks.straightforward --data DIR --bind HOST:PORT``"""

import argparse
import signal
from functools import partial
from pathlib import Path

import trio
import trio_asyncio
from hypercorn.config import Config
from hypercorn.trio import serve

from benchmarks.straightforward.app import make_app
from benchmarks.straightforward.store import open_store


async def told_to_stop() -> None:
    """Return at SIGINT or SIGTERM."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await anext(signals)


async def run(data: Path, bind: str) -> None:
    """Serve until told to stop; print the address once connections are accepted."""
    config = Config()
    config.bind = [bind]
    config.errorlog = None
    async with trio_asyncio.open_loop(), open_store(data) as store, trio.open_nursery() as nursery:
        addresses = await nursery.start(partial(serve, make_app(store), config, shutdown_trigger=told_to_stop))
        print(*addresses, flush=True)


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="benchmarks.straightforward")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bind", required=True)
    arguments = parser.parse_args()
    arguments.data.mkdir(parents=True, exist_ok=True)
    trio.run(run, arguments.data, arguments.bind)


if __name__ == "__main__":
    main()
