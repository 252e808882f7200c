"""What a test is told of files that its function code has changed."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_lambda_lifecycle.lifecycle.file_events import FileRefusal, StorageExceeded
from pytest_lambda_lifecycle.observation.evidence import Evidence, Verdict

__all__ = ["check_files"]


def check_files(evidence: Evidence) -> Iterator[Verdict]:
    """Warn of each path that is read-only on Lambda and was changed here, and of a full /tmp."""
    config = evidence.config
    warned: set[str] = set()
    for event in evidence.timeline[evidence.first :]:
        if isinstance(event, FileRefusal) and not event.refused and event.path not in warned:
            warned.add(event.path)
            at = f" at {event.where}" if event.where else ""
            yield Verdict(
                f"{config.handler}: function code tried to {event}{at}. Here it went through "
                f"(filesystem='report' from {config.source_of('filesystem')}); on Lambda it ends "
                "in OSError: [Errno 30] Read-only file system.\n"
                "Write below tempfile.gettempdir(), which is env.tmp in a test.",
                fails=False,
            )
        elif isinstance(event, StorageExceeded):
            yield Verdict(
                f"{config.handler}: the files of function code in /tmp have {event.used_bytes} "
                f"bytes, and ephemeral_storage={event.limit_mb} MB (from "
                f"{config.source_of('ephemeral_storage')}) is less; on Lambda a write ends in "
                "OSError: [Errno 28] No space left on device.",
                fails=False,
            )
