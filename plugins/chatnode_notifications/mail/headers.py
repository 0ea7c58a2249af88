"""How headers of mails are written. What this imports takes half a MiB: import it where a mail is made."""

from __future__ import annotations

from email.headerregistry import Address as Address
from email.policy import EmailPolicy

_WHOLE = frozenset(("message-id", "references", "list-unsubscribe", "list-unsubscribe-post"))


class _Policy(EmailPolicy):
    """Leaves ids and URLs in one piece: Python would make encoded words of those that are longer than a line."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() in _WHOLE:
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


POLICY = _Policy(linesep="\r\n", cte_type="7bit")
