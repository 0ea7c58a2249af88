"""Checks that exactly the acknowledged messages arrived and are stored; a run that fails a check stops."""

from benchmarks.errors import require
from benchmarks.generator import PostReport
from benchmarks.servers import Server


def require_all_arrived(report: PostReport, readers: int) -> None:
    """Each message was acknowledged once and reached each of its ``readers`` once, in order."""
    require(report.acked == report.sent, f"acked {report.acked} of {report.sent} sent")
    expected = report.sent * readers
    require(report.delivered == expected, f"delivered {report.delivered} of {expected}")
    require(report.out_of_order == 0, f"seq rose by one but for {report.out_of_order} deliveries")
    require(report.repeated == 0, f"{report.repeated} new messages taken for repeated ones")


def require_all_stored(server: Server, tokens: dict[str, str], acked: int) -> None:
    """As many distinct messages are stored as were acknowledged. ``tokens``: a member of each conversation."""
    stored = 0
    for conversation, token in tokens.items():
        with server.client(token) as client:
            stored += len(set(client.stored_cids(conversation)))
    require(stored == acked, f"stored {stored} of {acked} acked")
