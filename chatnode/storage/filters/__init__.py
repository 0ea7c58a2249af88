"""The filter language: lists as collections that can be filtered, sorted, paged, grouped and counted.

A query arrives as JSON (`parse.py`), is typed by the fields of the collection (`kinds.py`, `collection.py`), and
becomes SQL in which every value is a bound parameter (`compile.py`, `query.py`). `docs/filters.md` describes it.
"""
