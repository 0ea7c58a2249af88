"""The same chat server put together in the straightforward way, to compare chatnode with.

quart-trio serves the sockets under hypercorn's trio worker; aiosqlite, bridged by trio-asyncio, keeps
the messages with one transaction each, ``synchronous=FULL``; ``json`` of the standard library writes
the frames; a message goes to its readers by awaiting ``websocket.send`` for one after the other. Each
of these is what the library's own documentation shows first. It makes the same promise as the node (an
ack and a push only after COMMIT, a repeated ``cid`` answered with the first answer) and speaks the part
of docs/protocol.md that the benchmarks use.

It is no server to run: a token is simply the handle of its owner, and ``root`` exists from the start.
"""
