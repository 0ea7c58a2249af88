"""What the node keeps of files, on disk and in its tables: no HTTP."""
