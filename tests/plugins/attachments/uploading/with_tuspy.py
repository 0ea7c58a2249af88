"""Upload a file with tuspy: `python with_tuspy.py ENDPOINT TOKEN FILE CHUNK_BYTES`. Prints the upload's address.

A program of its own, because tuspy closes neither files nor connections.
"""

from __future__ import annotations

import sys

from tusclient.client import TusClient


def upload(endpoint: str, token: str, path: str, chunk_bytes: int) -> str:
    client = TusClient(endpoint, headers={"Authorization": f"Bearer {token}"})
    uploader = client.uploader(
        path,
        chunk_size=chunk_bytes,  # else it reads the whole file into memory
        metadata={"filename": "random.bin"},
        retries=250,
        retry_delay=0.2,  # type: ignore[arg-type]
        upload_checksum=True,
    )
    uploader.upload()
    assert uploader.url is not None
    return uploader.url


if __name__ == "__main__":
    print(upload(*sys.argv[1:4], int(sys.argv[4])))
