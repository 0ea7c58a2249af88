"""The core's collections, one module per subject."""
