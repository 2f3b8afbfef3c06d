"""Declared things: YAML files read into frozen Pydantic shapes, refused with wanted, got, cure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from base.errors import Fault, NotFound, Refused, nearest

Shape = TypeVar("Shape", bound=BaseModel)
# How Pydantic names the alternatives of a union in a place; no key of ours looks like these.
ALTERNATIVE = re.compile(r"^(float|int|bool|str|none|(tuple|list|dict|literal|function-\w+)\W.*)$")
# Pydantic's kinds of findings in the words of whoever writes a file.
WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "value_error": lambda told: str(told["error"]),
    "greater_than": lambda told: f"a number above {told['gt']}",
    "greater_than_equal": lambda told: f"a number of at least {told['ge']}",
    "less_than": lambda told: f"a number below {told['lt']}",
    "less_than_equal": lambda told: f"a number of at most {told['le']}",
    "literal_error": lambda told: f"one of {told['expected']}",
    "string_pattern_mismatch": lambda told: f"a text of the form {told['pattern']}",
    "too_short": lambda told: f"at least {told['min_length']} of them",
    "union_tag_invalid": lambda told: (
        f"{told['discriminator'].strip(chr(39))}: one of {told['expected_tags']}"
    ),
    "union_tag_not_found": lambda told: f"the key {told['discriminator']}",
}
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "tuple": "a list, written [a, b]",
    "list": "a list, written [a, b]",
    "dict": "keys with values",
    "model": "keys with values",
    "datetime": "a date or time, such as 2024-01-31",
    "date": "a date, such as 2024-01-31",
}


class Unfit(ValueError):
    """Raised by a validator of a shape that knows what was wanted, what came and the cure; `where`
    of each fault is within the value that was judged (empty: the value itself)."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(map(str, faults)))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain values only. libyaml reads ten times as fast, where PyYAML was built with it."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """YAML forbids a key twice in one mapping; PyYAML would silently keep the last."""
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        names = [key.value for key in keys]
        for place, key in enumerate(keys):
            if key.value in names[:place]:
                told = f"the key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, told, key.start_mark)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def read_yaml(text: str | bytes) -> Any:
    """Plain values of one YAML document. Raises yaml.YAMLError, also where a key stands twice."""
    return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader


def load_declared(path: Path, shape: type[Shape]) -> Shape:
    """Read a YAML file into `shape`; a misspelt key is refused with the nearest known one."""
    try:
        return shape.model_validate(read_yaml(path.read_text("utf-8")))
    except FileNotFoundError:
        raise NotFound(wanted=path.name, got="no such file", cure=f"write {path.name}") from None
    except yaml.YAMLError as error:
        raise Refused(
            wanted="YAML", got=" ".join(str(error).split()), cure="mend the YAML", where=path.name
        ) from None
    except ValidationError as error:
        raise Refused.gather(declared_faults(error, shape, path.name)) from None


def declared_faults(error: ValidationError, shape: type[BaseModel], where: str) -> list[Fault]:
    """Pydantic's findings as faults: place, what was wanted, what came, and the cure.

    What each alternative of one value wanted is told together.
    """
    found: dict[str, Fault] = {}
    told = (_faults(each, shape, where) for each in error.errors(include_url=False))
    for fault in chain.from_iterable(told):
        first = found.get(fault.where)
        if first is None or first.got != fault.got:
            found[fault.where if first is None else f"{fault.where}: {fault.got}"] = fault
        elif fault.wanted not in first.wanted.split(" or "):
            wanted = f"{first.wanted} or {fault.wanted}"
            found[fault.where] = Fault(wanted, first.got, first.cure, first.where)
    return list(found.values())


def _faults(problem: Any, shape: type[BaseModel], where: str) -> list[Fault]:
    raised = problem.get("ctx", {}).get("error")
    if not isinstance(raised, Unfit):
        return [_fault(problem, shape, where)]
    place = [str(part) for part in problem["loc"] if not ALTERNATIVE.match(str(part))]
    told = []
    for fault in raised.faults:
        whole = ".".join([*place, fault.where] if fault.where else place)
        told.append(replace(fault, where=f"{where}: {whole}" if whole else where))
    return told


def _fault(problem: Any, shape: type[BaseModel], where: str) -> Fault:
    loc = [part for part in problem["loc"] if not ALTERNATIVE.match(str(part))]
    place = ".".join(map(str, loc))
    there = f"{where}: {place}" if place else where
    key = str(loc[-1]) if loc else ""
    if problem["type"] == "extra_forbidden":
        cure = nearest(key, _known_keys(shape, problem["loc"][:-1]))
        return Fault("a known key", repr(key), cure, there)
    if problem["type"] == "missing":
        return Fault(f"the key {key!r}", "nothing", f"add {key}", there)
    got = _told(problem["input"])
    return Fault(wanted_of(problem), got, f"mend {place or where}", there)


def _told(given: Any) -> str:
    """What came, in short: of a mapping its keys."""
    if isinstance(given, Mapping):
        return f"the keys {', '.join(map(str, given))}"[:60] if given else "nothing in it"
    return repr(given)[:60]


def wanted_of(problem: Mapping[str, Any]) -> str:
    """What would have been right of one of Pydantic's findings, in plain words."""
    kind = str(problem["type"])
    if kind in WORDS:
        return WORDS[kind](problem["ctx"])
    return KINDS.get(kind.split("_")[0], str(problem["msg"]))


def _known_keys(shape: type[BaseModel], place: tuple[Any, ...]) -> set[str]:
    """Keys allowed at `place`: every shape reachable from the top that could stand there."""
    definitions = shape.model_json_schema()
    if not place:
        return set(definitions.get("properties", {}))
    inner = definitions.get("$defs", {}).values()
    return {key for each in inner for key in each.get("properties", {})}
