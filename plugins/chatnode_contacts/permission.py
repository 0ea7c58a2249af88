"""What one needs to keep contacts."""

from chatnode.api import Permission

USE = "contacts.use"
PERMISSIONS = (Permission(USE, "keep contacts and send contact requests"),)
