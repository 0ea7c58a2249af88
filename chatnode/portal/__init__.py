"""A trio run in a thread of its own, called from other threads (`thread.py`) and from asyncio (`loops.py`).

It knows nothing of what runs in it: a node (`chatnode/embed/`), or clients (`chatnode/client/aio.py`)."""
