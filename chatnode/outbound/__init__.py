"""Everything that leaves the node, to hosts that users or operators name: HTTP requests, and mail."""
