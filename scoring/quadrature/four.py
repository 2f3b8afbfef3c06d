"""Four floats that the compiler keeps in one register: what `one_row` and `four_rows` count with.

Compilers put neighbouring numbers together only where they can prove that no write comes between
the reads; here they cannot. So the type says it: `take` reads four, `put` writes four, and + - * /
work on four at once, each place by itself, in the same IEEE arithmetic as on single floats.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models, register_default
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin

WIDTH = 4
_compiled: Any = intrinsic  # its own types hide that a function of the caller's arity results
DOUBLE = ir.DoubleType()
VECTOR = ir.VectorType(DOUBLE, WIDTH)


class FourType(types.Type):
    """The type of four floats in one register."""

    def __init__(self) -> None:
        super().__init__(name="Four")


FOUR = FourType()


@register_default(FourType)
class FourModel(models.PrimitiveModel):
    """Four floats are one LLVM vector."""

    def __init__(self, manager: Any, kind: FourType) -> None:
        super().__init__(manager, kind, VECTOR)


def _place(context: Any, builder: Any, kind: types.Array, array: Any, at: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), VECTOR.as_pointer())


@_compiled
def take(typing: Any, array: Any, at: Any) -> Any:  # noqa: ARG001
    """Four neighbouring floats of a flat array, from `at` (unsigned) on."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _place(context, builder, sig.args[0], *args)
        return builder.load(place, align=8)

    return FOUR(array, types.uint64), code


@_compiled
def put(typing: Any, array: Any, at: Any, four: Any) -> Any:  # noqa: ARG001
    """Write four floats to a flat array, from `at` (unsigned) on."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _place(context, builder, sig.args[0], args[0], args[1])
        builder.store(args[2], place, align=8)
        return context.get_dummy_value()

    return types.void(array, types.uint64, FOUR), code


@_compiled
def fill(typing: Any, value: Any) -> Any:  # noqa: ARG001
    """The same float four times."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        four = ir.Constant(VECTOR, ir.Undefined)
        for at in range(WIDTH):
            four = builder.insert_element(four, args[0], ir.Constant(ir.IntType(32), at))
        return four

    return FOUR(types.float64), code


@_compiled
def at_most(typing: Any, one: Any, other: Any) -> Any:  # noqa: ARG001
    """In each place 1.0 where one is at most the other, else 0.0; NaN is not."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        return _chosen(builder, builder.fcmp_ordered("<=", args[0], args[1]))

    return FOUR(FOUR, FOUR), code


@_compiled
def missing(typing: Any, four: Any) -> Any:  # noqa: ARG001
    """In each place 1.0 where there is NaN, else 0.0."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        return _chosen(builder, builder.fcmp_unordered("uno", args[0], args[0]))

    return FOUR(FOUR), code


def _chosen(builder: Any, where: Any) -> Any:
    one, none = (ir.Constant(VECTOR, [ir.Constant(DOUBLE, x)] * WIDTH) for x in (1.0, 0.0))
    return builder.select(where, one, none)


@_compiled
def total(typing: Any, four: Any) -> Any:  # noqa: ARG001
    """(first + second) + (third + fourth)."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        one, two, three, last = (
            builder.extract_element(args[0], ir.Constant(ir.IntType(32), at)) for at in range(WIDTH)
        )
        return builder.fadd(builder.fadd(one, two), builder.fadd(three, last))

    return types.float64(FOUR), code


def _operator(symbol: Callable[..., Any], name: str) -> None:
    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if not kws and args == (FOUR, FOUR):
                return signature(FOUR, FOUR, FOUR)
            return None

    infer_global(symbol)(Template)

    @lower_builtin(symbol, FOUR, FOUR)
    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
        return getattr(builder, name)(*args)


for _symbol, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_symbol, _name)
