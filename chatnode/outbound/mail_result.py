"""What becomes of a mail."""

from __future__ import annotations

from typing import Literal

from chatnode.model.records import record

Outcome = Literal["sent", "later", "never"]


@record(frozen=True)
class MailResult:
    """The outcome of sending an email: `sent`, the server has it; `later`, it may be tried again; `never`, it will not
    be taken for this recipient. `code` is the SMTP reply's number and its enhanced code, such as `550 5.1.1`, empty
    without a reply; `why` is one line for people, without addresses."""

    outcome: Outcome
    code: str = ""
    why: str = ""
