"""Named arrays in one file: written once, then only mapped; a reader never sees half a file.

Layout: 8 bytes with the header's length, the header (JSON: name -> dtype, length, offset), then
the arrays, each at a multiple of 64 bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
ALIGNMENT = 64


@contextmanager
def writing_arrays(path: Path, shapes: Mapping[str, tuple[str, int]]) -> Iterator[Arrays]:
    """Arrays (name -> dtype, length) to fill; on leaving they are on disk under `path`, or not.

    The space is reserved first: a full disk raises OSError here, where writing into a mapped file
    that cannot grow would kill the process.
    """
    places: dict[str, tuple[str, int, int]] = {}
    offset = 0
    for name, (dtype, length) in shapes.items():
        places[name] = (dtype, length, offset)
        offset = _aligned(offset + np.dtype(dtype).itemsize * length)
    head = json.dumps(places).encode()
    begin = _aligned(8 + len(head))
    draft = path.with_name(f"{path.name}.draft")
    with draft.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        file.flush()
        os.posix_fallocate(file.fileno(), 0, begin + offset + ALIGNMENT)
    mapped = np.memmap(draft, np.uint8, "r+")
    yield _views(mapped, places, begin)
    mapped.flush()
    del mapped
    onto_disk(draft)
    draft.rename(path)
    onto_disk(path.parent)


def write_arrays(path: Path, given: Mapping[str, Array]) -> None:
    """Write arrays that are in memory already."""
    shapes = {name: (array.dtype.str, len(array)) for name, array in given.items()}
    with writing_arrays(path, shapes) as arrays:
        for name, array in given.items():
            arrays[name][:] = array


def read_arrays(path: Path) -> Arrays:
    """Map a file's arrays; nobody writes to them. Raises FileNotFoundError.

    The mapping is private rather than read-only: it shares the file's pages all the same, and
    numba takes arrays ten times faster that it need not tell apart from writable ones.
    """
    mapped = np.memmap(path, np.uint8, "c")
    size = int.from_bytes(mapped[:8].tobytes(), "little")
    places = json.loads(mapped[8 : 8 + size].tobytes())
    return _views(mapped, places, _aligned(8 + size))


def write_text(path: Path, text: str) -> None:
    """Replace a small file in one step: readers see the old one or the new one."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text, "utf-8")
    onto_disk(draft)
    draft.rename(path)
    onto_disk(path.parent)


def _views(
    mapped: npt.NDArray[np.uint8], places: Mapping[str, tuple[str, int, int]], begin: int
) -> Arrays:
    views = {}
    for name, (dtype, length, offset) in places.items():
        size = np.dtype(dtype).itemsize * length
        start = begin + offset
        views[name] = np.asarray(mapped[start : start + size]).view(dtype)
    return views


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def onto_disk(path: Path) -> None:
    """What was written to a file or folder outlives the machine's fall."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
