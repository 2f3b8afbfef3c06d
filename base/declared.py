"""Declared things: YAML files read into frozen Pydantic shapes, refused with wanted, got, cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from base.errors import Fault, NotFound, Refused, nearest

Shape = TypeVar("Shape", bound=BaseModel)


def load_declared(path: Path, shape: type[Shape]) -> Shape:
    """Read a YAML file into `shape`; a misspelt key is refused with the nearest known one."""
    try:
        return shape.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except FileNotFoundError:
        raise NotFound(wanted=path.name, got="no such file", cure=f"write {path.name}") from None
    except yaml.YAMLError as error:
        raise Refused(
            wanted="YAML", got=" ".join(str(error).split()), cure="mend the YAML", where=path.name
        ) from None
    except ValidationError as error:
        raise Refused.gather(declared_faults(error, shape, path.name)) from None


def declared_faults(error: ValidationError, shape: type[BaseModel], where: str) -> list[Fault]:
    """Pydantic's findings as faults: place, what was wanted, what came, and the cure."""
    return [_fault(problem, shape, where) for problem in error.errors(include_url=False)]


def _fault(problem: Any, shape: type[BaseModel], where: str) -> Fault:
    place = ".".join(map(str, problem["loc"]))
    key = str(problem["loc"][-1]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        cure = nearest(key, _known_keys(shape, problem["loc"][:-1]))
        return Fault("a known key", repr(key), cure, f"{where}: {place}")
    if problem["type"] == "missing":
        return Fault(f"the key {key!r}", "nothing", f"add {key}", f"{where}: {place}")
    got = repr(problem["input"])[:60]
    return Fault(problem["msg"], got, f"mend {place or where}", f"{where}: {place}")


def _known_keys(shape: type[BaseModel], place: tuple[Any, ...]) -> set[str]:
    """Keys allowed at `place`: every shape reachable from the top that could stand there."""
    definitions = shape.model_json_schema()
    if not place:
        return set(definitions.get("properties", {}))
    inner = definitions.get("$defs", {}).values()
    return {key for each in inner for key in each.get("properties", {})}
