"""Forms that browsers send."""

from __future__ import annotations

from urllib.parse import parse_qsl

from chatnode.errors import Refusal

FORM = "application/x-www-form-urlencoded"
FORMS = (FORM, "multipart/form-data")


def parse_form(body: bytes, most_fields: int = 1_000) -> dict[str, str]:
    """The fields of a form of the type `application/x-www-form-urlencoded`.

    Raises `Refusal("bad_request")` for a body that is not UTF-8, that has more fields, or one of them more than once.
    """
    try:
        found = parse_qsl(body.decode("ascii"), True, errors="strict", max_num_fields=most_fields)
    except ValueError:
        raise Refusal("bad_request", f"the form is not UTF-8, or has more than {most_fields} fields") from None
    fields: dict[str, str] = {}
    for name, value in found:
        if name in fields:
            raise Refusal("bad_request", f"the form has the field {name[:80]} more than once")
        fields[name] = value
    return fields
