"""SQLite: all the SQL of the core, as sync functions that run inside one transaction.

Nothing above this layer knows that the store is SQLite. Writing functions take a `Transaction`, reading ones
a `Reader`; both run in the database's own threads and never await.
"""
