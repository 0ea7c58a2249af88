"""What each command takes and gives, by subject. The commands themselves, with permission and limit, are listed by
the services that carry them out; `chatnode.services.COMMANDS` is the table.

Field names are the protocol's. A field with a default may be left out.
"""
