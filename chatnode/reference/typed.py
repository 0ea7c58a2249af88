"""Signatures and types as plugins may write them: by public names, aliases of words spelled out."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from textwrap import dedent
from types import UnionType
from typing import Annotated, Any, ForwardRef, Literal, get_args, get_origin

from chatnode import api
from chatnode.storage.filters import kinds

_TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'|[A-Za-z_]\w*(?:\.\w+)*")
_PUBLIC = {id(getattr(api, name)): name for name in api.__all__ if not isinstance(getattr(api, name), str)}


def shown(annotation: Any, module: str) -> str:
    """An annotation of a module, with the names that `chatnode.api` has for what it names."""
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    space = vars(sys.modules[module])
    return _TOKEN.sub(lambda found: _public(found[0], space), text)


def _public(token: str, space: Mapping[str, Any]) -> str:
    value = space.get(token)
    if value is None:
        return token
    if id(value) in _PUBLIC:
        return _PUBLIC[id(value)]
    if get_origin(value) is Callable:
        return inspect.formatannotation(value)
    if get_origin(value) is Annotated:
        return inspect.formatannotation(get_args(value)[0])
    if get_origin(value) is Literal:
        return " | ".join(repr(word) for word in get_args(value))
    if isinstance(value, UnionType):
        return str(value)
    if isinstance(value, type) and value.__module__ == kinds.__name__:
        return f"kinds.{value.__name__}"
    return token


def signature(name: str, function: Any, *, method: bool = False) -> str:
    """`async def name(parameter: type = default) -> type`; of a method, without `self`."""
    made = inspect.signature(function)
    parameters = list(made.parameters.values())[int(method) :]
    parts: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not any(part.startswith("*") for part in parts):
            parts.append("*")
        parts.append(_parameter(parameter, function.__module__))
    only = sum(each.kind is each.POSITIONAL_ONLY for each in parameters)
    if only:
        parts.insert(only, "/")
    colour = "async def" if inspect.iscoroutinefunction(function) else "def"
    gives = "" if made.return_annotation is made.empty else f" -> {shown(made.return_annotation, function.__module__)}"
    return f"{colour} {name}({', '.join(parts)}){gives}"


def _parameter(parameter: inspect.Parameter, module: str) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    kind = "" if parameter.annotation is parameter.empty else f": {shown(parameter.annotation, module)}"
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{stars}{parameter.name}{kind}{default}"


def words_of_fields(kind: type[Any]) -> dict[str, str]:
    """What stands below the fields of a class, where something does."""
    (node,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(node, ast.ClassDef)
    found: dict[str, str] = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            value = below.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[field.target.id] = " ".join(value.value.split())
    return found
