"""Messages and what belongs to them: changes, mentions, receipts, reports, the inbox."""
