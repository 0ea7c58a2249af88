"""Pictures, decoded and encoded in a process of their own."""
