"""Eight float32 at a time: the vectors that the inner loops are written in.

Owns numba's type for LLVM's ``<8 x float>``, which LLVM splits where a machine's vectors are
shorter, and one function for each instruction. Nothing is contracted or reordered, so that every
processor computes the same bits. Must not know what is computed.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir
import numba
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 8

_VECTOR = llvmlite.ir.VectorType(llvmlite.ir.FloatType(), LANES)
_INDEX = llvmlite.ir.IntType(32)


class _Lanes(numba.types.Type):
    """numba's type of eight float32."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


_lanes = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, kind):  # type: ignore[no-untyped-def]
        super().__init__(manager, kind, _VECTOR)


def _arithmetic(instruction: str) -> Any:
    """A function of two vectors that is one instruction of LLVM."""

    @intrinsic
    def operation(typing, left, right):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
            return getattr(builder, instruction)(*values)

        return _lanes(_lanes, _lanes), generate

    return operation


add = _arithmetic("fadd")
subtract = _arithmetic("fsub")
multiply = _arithmetic("fmul")
divide = _arithmetic("fdiv")


@intrinsic
def where_above(typing, left, right, yes, no):  # type: ignore[no-untyped-def]
    """``yes`` where left > right, else ``no``."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        above = builder.fcmp_ordered(">", values[0], values[1])
        return builder.select(above, values[2], values[3])

    return _lanes(_lanes, _lanes, _lanes, _lanes), generate


@intrinsic
def repeat(typing, scalar):  # type: ignore[no-untyped-def]
    """Eight times the same float32."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        first = builder.insert_element(
            llvmlite.ir.Constant(_VECTOR, llvmlite.ir.Undefined), values[0], _INDEX(0)
        )
        zeros = llvmlite.ir.Constant(llvmlite.ir.VectorType(_INDEX, LANES), [0] * LANES)
        return builder.shuffle_vector(first, first, zeros)

    return _lanes(numba.types.float32), generate


@intrinsic
def steps(typing):  # type: ignore[no-untyped-def]
    """0, 1, ... 7."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        return llvmlite.ir.Constant(_VECTOR, [float(lane) for lane in range(LANES)])

    return _lanes(), generate


@intrinsic
def total(typing, vector):  # type: ignore[no-untyped-def]
    """The sum of eight, halves first."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        vector = values[0]
        for width in (4, 2, 1):
            low, high = (
                llvmlite.ir.Constant(
                    llvmlite.ir.VectorType(_INDEX, width), list(range(start, start + width))
                )
                for start in (0, width)
            )
            vector = builder.fadd(
                builder.shuffle_vector(vector, vector, low),
                builder.shuffle_vector(vector, vector, high),
            )
        return builder.extract_element(vector, _INDEX(0))

    return numba.types.float32(_lanes), generate


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


@intrinsic
def load(typing, array, offset):  # type: ignore[no-untyped-def]
    """Eight neighbours of a flat float32 array, from ``offset``; not checked."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        return builder.load(_pointer(context, builder, array, *values), align=4)

    return _lanes(array, numba.types.intp), generate


@intrinsic
def store(typing, array, offset, lanes):  # type: ignore[no-untyped-def]
    """The inverse of ``load``."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        pointer = _pointer(context, builder, array, values[0], values[1])
        builder.store(values[2], pointer, align=4)
        return cgutils.get_null_value(llvmlite.ir.IntType(8).as_pointer())

    return numba.types.none(array, numba.types.intp, _lanes), generate
