"""What each command takes and gives, by subject. The commands themselves, with permission and limit, are declared by
the services that run them; `chatnode.services.COMMANDS` is the table.

Field names are the protocol's. A field with a default is optional.
"""
