"""A LightGBM text model as flat tables, nodes in the order in which the kernels walk them.

What the kernels cannot do exactly is refused here by name (`Unsupported`), never approximated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Texts = dict[str, str]

CATEGORICAL, DEFAULT_LEFT, MISSING_SHIFT = 1, 2, 2
DOWN_LEFT, DOWN_RIGHT, UP, STEPS = 0, 1, 2, 3
NONE = -1


class Unsupported(Exception):
    """The model is outside what the kernels compute exactly; the message says why."""


class Inexplicable(Unsupported):
    """LightGBM does not explain it either."""


class Tables(NamedTuple):
    """All trees in flat arrays; the n-th inner node of all trees is row n of the node columns.

    A walk is a list of steps, node * STEPS + (DOWN_LEFT | DOWN_RIGHT | UP).
    """

    # per tree, one more than there are trees: where its steps and its nodes begin
    step_from: Ints
    node_from: Ints
    # per tree: its quadrature points are point_from .. point_from + points
    point_from: Ints
    points: Ints
    steps: Ints
    # per node: the question
    feature: Ints
    categorical: npt.NDArray[np.bool_]
    default_left: npt.NDArray[np.bool_]
    missing: Ints
    threshold: Floats
    word_from: Ints
    words: Ints
    # per node: the share of its training rows that went left or right
    left_share: Floats
    right_share: Floats
    # per node: is a child a leaf, and with which value
    left_leaf: npt.NDArray[np.bool_]
    right_leaf: npt.NDArray[np.bool_]
    left_value: Floats
    right_value: Floats
    # per node: which node a child is that is none (0 where it is a leaf)
    left_at: Ints
    right_at: Ints
    # per node: how deep it is (0 = root), and whether it is its parent's left child
    level: Ints
    is_left: npt.NDArray[np.bool_]
    # per node: the nearest node above that asks the same feature (NONE), which way the path went
    # there, and the share of rows that passes all such nodes above
    same: Ints
    same_left: npt.NDArray[np.bool_]
    before: Floats
    # of all trees: words of category sets; points of the quadrature, 1 - point, weight
    bits: npt.NDArray[np.uint32]
    t: Floats
    u: Floats
    w: Floats


@dataclass(frozen=True)
class Forest:
    """`base`: the mean margin over the training rows. `levels`, `points`: the most of any tree.
    `walkable`: every tree has a question, so that margins are sums of leaves in `tables`."""

    tables: Tables
    features: int
    base: float
    levels: int
    points: int
    nodes: int
    walkable: bool = True


@dataclass
class _Node:
    """One inner node on its way into the tables."""

    at: int
    level: int
    is_left: bool
    same: int = NONE
    same_left: bool = False
    before: float = 1.0


@dataclass
class _Tree:
    """One tree of the text, and the state of walking it."""

    text: Texts
    offset: int
    nodes: list[_Node] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    most_features: int = 1

    def ints(self, name: str) -> list[int]:
        return [int(word) for word in self.text[name].split()]

    def floats(self, name: str) -> list[float]:
        return [float(word) for word in self.text[name].split()]


def read_forest(model: str) -> Forest:
    """The tables of a text model. Raises Unsupported, naming why."""
    head, *trees = model.split("\nTree=")
    features = _features(head)
    parts: list[_Tree] = []
    base = 0.0
    for text in trees:
        tree = _Tree(_pairs(text), offset=sum(len(part.nodes) for part in parts))
        if tree.text.get("is_linear", "0") != "0":
            raise Inexplicable("a linear tree")
        base += _expected(tree)
        if int(tree.text["num_leaves"]) > 1:
            if not all(0 <= asked < features for asked in tree.ints("split_feature")):
                raise ValueError("a tree that asks a feature which is not there")
            _walk(tree)
            parts.append(tree)
    return _forest(parts, features, base, walkable=len(parts) == len(trees))


def _features(head: str) -> int:
    pairs = _pairs(head)
    if "average_output" in head.split("\n"):
        raise Unsupported("a random forest, whose trees are averaged")
    if pairs.get("num_tree_per_iteration", "1") != "1" or pairs.get("num_class", "1") != "1":
        raise Unsupported("more than one class")
    return int(pairs["max_feature_idx"]) + 1


def _pairs(text: str) -> Texts:
    """key=value lines up to the first empty one."""
    lines = text.split("\n\n", 1)[0].split("\n")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _expected(tree: _Tree) -> float:
    """The mean of a tree over its training rows, summed as LightGBM does."""
    values = tree.floats("leaf_value")
    if len(values) == 1:
        return values[0]
    counts, whole = tree.ints("leaf_count"), tree.ints("internal_count")[0]
    if min(counts) < 1 or sum(counts) != whole:
        raise Unsupported("a tree without the counts of its training rows")
    mean = 0.0
    for count, value in zip(counts, values, strict=True):
        mean += count / whole * value
    return mean


def _walk(tree: _Tree) -> None:
    """Number the inner nodes depth-first and note the steps; no recursion, trees may be deep."""
    left, right = tree.ints("left_child"), tree.ints("right_child")
    asked, shares = tree.ints("split_feature"), _shares(tree, left, right)
    # What is still to do: a step to note, or a node to visit with the features asked above it.
    ahead: list[int | tuple[_Node, dict[int, tuple[int, bool, float]]]] = [(_Node(0, 0, True), {})]
    while ahead:
        item = ahead.pop()
        if isinstance(item, int):
            tree.steps.append(item)
            continue
        node, above = item
        if len(tree.nodes) == len(left):
            raise ValueError("a tree with a node that is its own descendant")
        number = tree.offset + len(tree.nodes)
        node.same, node.same_left, node.before = above.get(asked[node.at], (NONE, False, 1.0))
        tree.nodes.append(node)
        tree.most_features = max(tree.most_features, len(above | {asked[node.at]: None}))
        ahead.append(number * STEPS + UP)
        for child, is_left in ((right[node.at], False), (left[node.at], True)):
            if child < 0:
                continue
            share = node.before * shares[node.at][0 if is_left else 1]
            below = {**above, asked[node.at]: (number, is_left, share)}
            ahead.append((_Node(child, node.level + 1, is_left), below))
            ahead.append(number * STEPS + (DOWN_LEFT if is_left else DOWN_RIGHT))


def _shares(tree: _Tree, left: Sequence[int], right: Sequence[int]) -> list[tuple[float, float]]:
    inner, leaves = tree.ints("internal_count"), tree.ints("leaf_count")

    def count(child: int) -> int:
        return inner[child] if child >= 0 else leaves[~child]

    found = []
    for at, (one, other) in enumerate(zip(left, right, strict=True)):
        if count(one) + count(other) != inner[at]:
            raise Unsupported("a node whose children do not add up to its training rows")
        found.append((count(one) / inner[at], count(other) / inner[at]))
    return found


def _forest(trees: list[_Tree], features: int, base: float, walkable: bool) -> Forest:
    points = [-(-tree.most_features // 2) for tree in trees]
    begin, t, w = _quadrature(sorted(set(points)))
    nodes = [len(tree.nodes) for tree in trees]
    tables = Tables(
        step_from=_edges([len(tree.steps) for tree in trees]),
        node_from=_edges(nodes),
        point_from=_ints(begin[count] for count in points),
        points=_ints(points),
        steps=_ints(step for tree in trees for step in tree.steps),
        **_columns(trees),
        t=t,
        u=1.0 - t,
        w=w,
    )
    levels = 2 + max((node.level for tree in trees for node in tree.nodes), default=0)
    most = max(points, default=1)
    return Forest(tables, features, base, levels, most, max(nodes, default=0), walkable)


def _quadrature(counts: list[int]) -> tuple[dict[int, int], Floats, Floats]:
    """Gauss-Legendre points and weights on [0, 1] for each count, and where each set begins.

    A set is filled up to a multiple of four with points of weight 0, which add nothing.
    """
    begin: dict[int, int] = {}
    t: list[float] = []
    w: list[float] = []
    for count in counts:
        begin[count] = len(t)
        x, weight = np.polynomial.legendre.leggauss(count)
        spare = -count % 4
        t += [*(0.5 * (x + 1.0)), *[0.5] * spare]
        w += [*(0.5 * weight), *[0.0] * spare]
    return begin, np.array(t), np.array(w)


def _columns(trees: list[_Tree]) -> dict[str, Any]:
    """The node columns of all trees, one after the other."""
    parts = [_tree_columns(tree) for tree in trees]
    words = [np.array(tree.ints("cat_threshold"), np.uint32) for tree in trees if _sets(tree)]
    begin = np.cumsum(
        [0, *(tree.ints("cat_boundaries")[-1] if _sets(tree) else 0 for tree in trees)]
    )
    for part, first in zip(parts, begin, strict=False):
        part["word_from"] += first
    names = parts[0] if parts else _NO_COLUMNS
    columns: dict[str, Any] = {
        name: np.concatenate([part[name] for part in parts] or [_NO_COLUMNS[name]])
        for name in names
    }
    return columns | {"bits": np.concatenate([*words, np.zeros(1, np.uint32)])}


def _sets(tree: _Tree) -> int:
    return int(tree.text.get("num_cat", "0"))


def _tree_columns(tree: _Tree) -> dict[str, Any]:
    order = np.array([node.at for node in tree.nodes])
    decision = np.array(tree.ints("decision_type"))[order]
    threshold = np.array(tree.floats("threshold"))[order]
    left, right = (np.array(tree.ints(name)) for name in ("left_child", "right_child"))
    shares = np.array(_shares(tree, list(left), list(right)))[order]
    left, right, leaves = left[order], right[order], np.array(tree.floats("leaf_value"))
    places = tree.offset + np.argsort(order)
    categorical = (decision & CATEGORICAL) != 0
    word_from, words = _word_ranges(tree, categorical, threshold)
    return {
        "feature": np.array(tree.ints("split_feature"))[order],
        "categorical": categorical,
        "default_left": (decision & DEFAULT_LEFT) != 0,
        "missing": (decision >> MISSING_SHIFT) & 3,
        "threshold": threshold,
        "word_from": word_from,
        "words": words,
        "left_share": shares[:, 0].copy(),
        "right_share": shares[:, 1].copy(),
        "left_leaf": left < 0,
        "right_leaf": right < 0,
        "left_value": np.where(left < 0, leaves[np.where(left < 0, ~left, 0)], 0.0),
        "right_value": np.where(right < 0, leaves[np.where(right < 0, ~right, 0)], 0.0),
        "left_at": np.where(left < 0, 0, places[np.maximum(left, 0)]),
        "right_at": np.where(right < 0, 0, places[np.maximum(right, 0)]),
        "level": _ints(node.level for node in tree.nodes),
        "is_left": np.array([node.is_left for node in tree.nodes], bool),
        "same": _ints(node.same for node in tree.nodes),
        "same_left": np.array([node.same_left for node in tree.nodes], bool),
        "before": np.array([node.before for node in tree.nodes], float),
    }


def _word_ranges(tree: _Tree, categorical: Any, threshold: Floats) -> tuple[Ints, Ints]:
    """Where each node's category set begins among the tree's words, and how many it has."""
    none = np.zeros(len(threshold), np.int64)
    if not _sets(tree):
        return none, none.copy()
    edges = np.array(tree.ints("cat_boundaries"))
    if edges[0] != 0 or edges[-1] != len(tree.ints("cat_threshold")) or np.any(np.diff(edges) < 0):
        raise ValueError("category sets beyond the words there are")
    at = np.where(categorical, threshold, 0).astype(np.int64)
    if np.any(at < 0):
        raise ValueError("a category set before the first")
    return np.where(categorical, edges[at], 0), np.where(categorical, edges[at + 1] - edges[at], 0)


def _edges(counts: Sequence[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(np.array(counts, np.int64))]).astype(np.int64)


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), np.int64)


_LEAF_TEXT = {
    "num_leaves": "2", "split_feature": "0", "threshold": "0", "decision_type": "0",
    "left_child": "-1", "right_child": "-2", "leaf_value": "0 0", "leaf_count": "1 1",
    "internal_count": "2",
}  # fmt: skip
# The columns of a forest without inner nodes.
_NO_COLUMNS = {
    name: column[:0]
    for name, column in _tree_columns(_Tree(_LEAF_TEXT, 0, [_Node(0, 0, True)])).items()
}
# The smallest model with a question: what kernels are compiled with.
STUMP = "max_feature_idx=0\n\nTree=0\n" + "\n".join(
    f"{name}={text}" for name, text in _LEAF_TEXT.items()
)
