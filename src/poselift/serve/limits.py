"""What a server takes, and how long and how large a job may be."""

from dataclasses import dataclass, fields

from poselift.errors import ShapeError

MIB, GIB = 1 << 20, 1 << 30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a server, in bytes and seconds."""

    upload_bytes: int = 2048 * MIB
    """The largest file that is taken."""
    job_s: float = 3600.0
    """Seconds that a job may run before it is ended."""
    memory_bytes: int = 8 * GIB
    """Address space that the process of a job may ask for, where the system can bound it (Linux)."""
    space_bytes: int = 20 * GIB
    """What all jobs together may take on disk; above it no file is taken."""
    free_bytes: int = GIB
    """What is left free on the disk; no file is taken that would need it."""
    stall_s: float = 60.0
    """Seconds without a byte after which an upload counts as broken off."""
    uploads: int = 64
    """Files that may come in at the same time."""

    def __post_init__(self) -> None:
        """Refuse limits that let nothing through.

        Raises:
            ShapeError: A limit is not above 0.
        """
        for field in fields(self):
            if not getattr(self, field.name) > 0 and field.name != "free_bytes":
                raise ShapeError(f"wanted a limit above 0 ({field.name}), got {getattr(self, field.name)}")
