"""The command table, and the only path to a handler: permission → limit → fields → plugins' checks → handler."""
