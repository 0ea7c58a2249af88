"""An S3-compatible bucket, by boto3, which is imported when the first bucket is used."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from chatnode import bundle
from chatnode.config import Bucket
from chatnode.storage.engine.durable_files import replacing
from chatnode.storage.upkeep.sealing import BackupError
from chatnode.storage.upkeep.snapshots import Progress, no_progress

_TIMEOUT_SECONDS = 60
_PART_BYTES = 16 << 20
_DELETED_AT_ONCE = 1_000


class BucketClient:
    """A bucket, by names below the prefix. Everything raises `BackupError` when the service cannot do it."""

    def __init__(self, settings: Bucket, progress: Progress = no_progress) -> None:
        try:  # for nodes that use it only: it takes 30 MiB
            boto3: Any = import_module("boto3")
            transfer: Any = import_module("boto3.s3.transfer")
            botocore: Any = import_module("botocore.config")
            errors: Any = import_module("botocore.exceptions")
            errors_of_boto3: Any = import_module("boto3.exceptions")
        except ImportError as error:
            install = "pip install 'chatnode[s3]'" if bundle.ROOT is None else "chatnode plugin install boto3"
            raise BackupError(f"a bucket needs boto3 ({error}); run {install}") from None
        self._errors = (errors.BotoCoreError, errors.ClientError, errors_of_boto3.Boto3Error)
        self._settings = settings
        self._progress = progress
        # All in the calling thread, so that cancellation reaches it.
        self._transfer = transfer.TransferConfig(multipart_chunksize=_PART_BYTES, use_threads=False)
        with self._explained("cannot be used"):
            self._client: Any = boto3.client(
                "s3",
                endpoint_url=settings.endpoint or None,
                region_name=settings.region or None,
                aws_access_key_id=settings.access_key or None,
                aws_secret_access_key=settings.secret_key or None,
                config=botocore.Config(
                    connect_timeout=_TIMEOUT_SECONDS,
                    read_timeout=_TIMEOUT_SECONDS,
                    retries={"max_attempts": 5, "mode": "standard"},
                    # Not every service knows the newer checksums; a restore compares ours.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )

    @contextmanager
    def _explained(self, what: str) -> Generator[None]:
        try:
            yield
        except (*self._errors, ValueError) as error:
            raise BackupError(f"the bucket {self._settings.name} {what}: {error}") from error

    def names(self, beginning: str) -> Iterator[tuple[str, int]]:
        """Names that begin so, with sizes."""
        prefix = self._settings.prefix
        with self._explained("cannot be listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._settings.name, Prefix=prefix + beginning
            )
            for page in pages:
                self._progress("listing", 0, 0)
                for each in page.get("Contents", ()):
                    yield each["Key"].removeprefix(prefix), each["Size"]

    def send(self, path: Path, name: str) -> int:
        """Send a file; returns its size."""
        with self._explained(f"did not take {name}"):
            size, done = path.stat().st_size, 0

            def report(count: int) -> None:
                nonlocal done
                done += count
                self._progress("sending", min(done, size), size)

            self._client.upload_file(
                str(path), self._settings.name, self._settings.prefix + name, Config=self._transfer, Callback=report
            )
            return size

    def fetch(self, name: str, path: Path) -> None:
        """Fetch a file, which appears whole."""
        with replacing(path) as file, self._explained(f"did not give {name}"):
            self._client.download_fileobj(
                self._settings.name, self._settings.prefix + name, file, Config=self._transfer, Callback=self._fetched
            )

    def _fetched(self, count: int) -> None:
        self._progress("fetching", count, 0)

    def delete(self, names: Iterable[str]) -> None:
        """Delete what has these names, if it is there."""
        waiting = list[dict[str, str]]()
        for name in names:
            waiting.append({"Key": self._settings.prefix + name})
            if len(waiting) == _DELETED_AT_ONCE:
                self._delete(waiting)
                waiting = []
        if waiting:
            self._delete(waiting)

    def _delete(self, objects: list[dict[str, str]]) -> None:
        with self._explained("did not delete old backups"):
            done = self._client.delete_objects(Bucket=self._settings.name, Delete={"Objects": objects, "Quiet": True})
        if failed := done.get("Errors"):
            raise BackupError(
                f"the bucket {self._settings.name} did not delete {failed[0]['Key']}: {failed[0]['Code']}"
            )
