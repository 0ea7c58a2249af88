"""A client of ACME (RFC 8555), the protocol by which authorities issue certificates. It knows no files and no node."""
