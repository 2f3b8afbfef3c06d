"""Whether our own engine can explain a text model, or why not; nothing is compiled for it."""

from __future__ import annotations

from base.errors import Refused
from scoring.quadrature.forest import Forest, Inexplicable, Unsupported, read_forest


def forest_of(model: str) -> tuple[Forest | None, str | None]:
    """The tables of a text model; without them, the reason in words.

    Raises Refused for linear trees: no engine explains them.
    """
    try:
        return read_forest(model), None
    except Inexplicable as never:
        raise Refused(
            wanted="trees whose margins can be explained",
            got=str(never),
            cure="train without linear_tree",
        ) from None
    except Unsupported as outside:
        return None, str(outside)
    except (KeyError, ValueError, IndexError):
        return None, "a text model that this version cannot read"
