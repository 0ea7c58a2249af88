"""The filter language: lists of things as collections that are filtered, sorted, paged, grouped and counted.

What is asked comes as JSON (`parse.py`), typed by the fields of the collection (`kinds.py`, `collection.py`), and
becomes SQL whose every value is a bound parameter (`compile.py`, `query.py`). `docs/filters.md` describes it.
"""
