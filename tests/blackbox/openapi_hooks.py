"""Hooks of schemathesis: what is right by the document is sent about things that there are.

Random ids are never those of anything, and a node asked for what is not there shows little of itself. `POOL` in the
environment is a JSON object: for the name of a field, the values to take.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import schemathesis

POOL: dict[str, list[Any]] = json.loads(os.environ["POOL"])
CHOICE = random.Random(os.environ["SEED"])


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    for fields in (case.body, case.query):
        if isinstance(fields, dict):
            for name in fields.keys() & POOL.keys():
                if fields[name] is not None and CHOICE.random() < 0.9:
                    fields[name] = CHOICE.choice(POOL[name])
