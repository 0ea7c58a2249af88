"""Mail addresses that users type."""

from __future__ import annotations

from chatnode.api import Refusal


def read_address(text: str) -> str:
    """The address as it stands in an envelope: in ASCII, with its domain in lower case.

    Raises `Refusal("invalid")` for what is no address, or whose part before the `@` has other letters than ASCII.
    """
    # Imported for the first address: most nodes see few.
    import email_validator

    try:
        found = email_validator.validate_email(text.strip(), check_deliverability=False, allow_smtputf8=False)
    except email_validator.EmailNotValidError as error:
        raise Refusal("invalid", f"is not an email address: {error}", path="address") from None
    assert found.ascii_email is not None
    return found.ascii_email
