"""Three ways to the same SQL: the core's own threads from trio, the same from asyncio, and aiosqlite on asyncio.

`python -m benchmarks.reaching WAY DIRECTORY` is one of them, in a process of its own. For each line of JSON on its
standard input, a list of what to do, how many times at once and for how many seconds, it prints one with figures. A
post is three statements in a durable transaction; a read finds one message by its number.
"""
