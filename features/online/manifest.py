"""What the store holds: one small file, replaced in one step, names everything that counts.

A file that the manifest does not name does not exist. So a writer that is killed leaves nothing
half done: what it wrote is unnamed, and the next writer clears it away.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from features.online.arrays import write_text

NAME, LOCK = "manifest.json", ".lock"


class Noted(BaseModel):
    """A note of the manifest: strict and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SegmentNote(Noted):
    """`tiles` names the file of totals that fits the retractions known."""

    name: str
    tiles: str
    rows: int
    sizes: dict[str, float]


class GroupingNote(Noted):
    """Segments from the oldest; the codebook's file of each column kept as codes."""

    segments: tuple[SegmentNote, ...] = ()
    codebooks: dict[str, str] = {}


class SourceNote(Noted):
    """How far a record set is taken in: its table's version, files, records, last number."""

    version: int
    files: tuple[str, ...] = ()
    records: int = 0
    last_record: int = 0


class Manifest(Noted):
    """One generation of a store."""

    generation: int = 0
    sources: dict[str, SourceNote] = {}
    groupings: dict[str, GroupingNote] = {}

    def file_names(self) -> set[str]:
        """All files of this generation."""
        names = {NAME, LOCK}
        for grouping in self.groupings.values():
            names |= set(grouping.codebooks.values())
            for segment in grouping.segments:
                names |= {f"{segment.name}.base", f"{segment.tiles}.tiles"}
        return names


def read_manifest(folder: Path) -> Manifest:
    """The generation that counts; an empty one where nothing was ever written."""
    try:
        return Manifest.model_validate_json((folder / NAME).read_text("utf-8"))
    except FileNotFoundError:
        return Manifest()


def publish(folder: Path, manifest: Manifest) -> None:
    """From here on readers see this generation; files of older ones are cleared away.

    A reader that has them mapped keeps them; one that is just opening them starts again.
    """
    write_text(folder / NAME, manifest.model_dump_json(indent=1))
    clear_unnamed(folder, manifest)


def clear_unnamed(folder: Path, manifest: Manifest) -> None:
    """Remove what this generation does not name."""
    named = manifest.file_names()
    for path in folder.iterdir():
        if path.name not in named:
            path.unlink(missing_ok=True)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the writer's lock; the system frees it when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
