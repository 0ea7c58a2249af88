"""Reading the log: missed events, and the cursors of consumers."""
