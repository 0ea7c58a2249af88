"""The surface that plugins stand on: what is loaded, refused, called, and shown."""
