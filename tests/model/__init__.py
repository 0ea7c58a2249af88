"""The client library and the terminal client."""
