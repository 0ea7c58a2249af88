"""Settings: the section `[plugins.attachments]`."""

from __future__ import annotations

from chatnode.api import record, setting
from chatnode_attachments.addresses import check_clamd

MIB = 1 << 20


@record(frozen=True)
class AttachmentsSettings:
    """Files in messages. Where a maximum may be 0, 0 means no limit."""

    file_mib: int = setting(100, "Maximum size of a file, in MiB.", minimum=0)
    person_mib: int = setting(5_000, "Maximum size of all files of a user, in MiB.", minimum=0)
    node_mib: int = setting(0, "Maximum size of all files of the node, in MiB.", minimum=0)
    day_mib: int = setting(1_000, "Maximum size of all uploads of a user in 24 hours, in MiB.", minimum=0)
    upload_hours: int = setting(24, "Hours without progress after which an upload is removed.", minimum=1)
    unposted_hours: int = setting(24, "Hours after which a file that was not posted is removed.", minimum=1)
    uploads_at_a_time: int = setting(16, "Maximum number of uploads that the node receives at a time.", minimum=1)
    uploads_per_person: int = setting(3, "Maximum number of uploads received at a time from a user.", minimum=1)
    uploads_per_minute: int = setting(600, "Maximum number of uploads that a user may begin per minute.", minimum=0)
    unfinished_per_person: int = setting(
        1_000, "Maximum number of uploads that a user has begun and not finished.", minimum=0
    )
    idle_seconds: float = setting(
        60.0, "Seconds without a byte after which receiving ends; it can be resumed.", minimum=1
    )
    threads: int = setting(4, "Number of threads that read and write files.", minimum=1)
    downloads_per_person: int = setting(
        8, "Maximum number of downloads of a user at a time; more wait for a while.", minimum=0
    )
    external_files: bool = setting(False, "Allow messages to refer to files stored elsewhere, by URL.")
    image_megapixels: int = setting(50, "Maximum size of a picture that is shown, in megapixels.", minimum=1)
    strip_metadata: str = setting(
        "images",
        "Remove metadata, such as location and date, from: images (pictures not sent as files), all (pictures "
        "sent as files too) or none.",
        choices=("images", "all", "none"),
    )
    clamd: str = setting(
        "", "Where clamd listens: unix:/run/clamav/clamd.ctl or tcp:host:3310. Empty: files are not scanned.",
        read=check_clamd,
    )  # fmt: skip
    scan_max_mib: int = setting(
        100, "Maximum size of a file while files are scanned, in MiB. clamd's own limits must allow it.", minimum=1
    )
    scan_seconds: float = setting(180.0, "Seconds after which a scan is cancelled; it is retried later.", minimum=1)
    scans_at_a_time: int = setting(2, "Number of files that are scanned at a time.", minimum=1)
    rescan_days: int = setting(0, "Days after which a file is scanned again; 0 means never.", minimum=0)

    def strips(self, *, as_file: bool) -> bool:
        """Whether the metadata of an uploaded picture is removed."""
        return self.strip_metadata == "all" or (self.strip_metadata == "images" and not as_file)
