"""The command table, and the one way a command is carried out: permission → limit → handler."""
