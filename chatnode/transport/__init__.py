"""Connections: one port for the client socket, HTTP and event streams, and a local socket for the command line."""
