"""The certificate of the node's port: the one in use, files that change, and one that the node obtains itself."""
