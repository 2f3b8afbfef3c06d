"""A process that goes without packages which others load just in case.

LightGBM and Arrow import pandas and scikit-learn where they are installed, whether or not anybody
will hand them a frame; that takes longer than all a short process does. Where they are not
installed both go without, and so they do here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

JUST_IN_CASE = ("pandas", "sklearn", "matplotlib", "dask", "graphviz")


class _Absent(MetaPathFinder):
    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"this process goes without {fullname}", name=fullname)
        return None


def go_without(names: Sequence[str] = JUST_IN_CASE) -> None:
    """From now on these packages are as if not installed, in this process; what was imported
    before stays. For a process of our own that needs none of them."""
    sys.meta_path.insert(0, _Absent(names))
