"""The engine: connections, transactions, group commit, migrations. It knows SQLite and nothing of chat."""
