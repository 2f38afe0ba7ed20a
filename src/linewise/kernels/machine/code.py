"""Writes LLVM's intermediate language: loops, pointers and vectors of float32, as much as a kernel needs.

Rounding is that of the text: nothing is reordered, multiply-adds are asked for one by one, so that each row of a
batch has the same bits wherever it stands.
"""

from __future__ import annotations

import struct
from typing import final

from linewise.kernels.machine.scalars import Number, Scalars

__all__ = ["Code", "Number"]


@final
class Code(Scalars):
    """One function `void name(ptr args)`, where `args` are 64-bit numbers and pointers.

    Args:
        name: of the function.
        lanes: float32 in one vector.
    """

    def __init__(self, name: str, lanes: int) -> None:
        super().__init__()
        self.name, self.lanes = name, lanes
        self.vector = f"<{lanes} x float>"

    def text(self) -> str:
        """The function, and what it declares."""
        v, n = self.vector, self.lanes
        wide = f'"min-legal-vector-width"="{32 * n}" "prefer-vector-width"="{32 * n}"'
        return "\n".join(
            [
                f"define void @{self.name}(ptr noalias readonly %args) nounwind {wide} {{",
                "entry:",
                *self._head,
                *self._body,
                "  ret void",
                "}",
                f"declare {v} @llvm.fma.v{n}f32({v}, {v}, {v})",
                f"declare {v} @llvm.masked.load.v{n}f32.p0(ptr, i32, <{n} x i1>, {v})",
                f"declare void @llvm.masked.store.v{n}f32.p0({v}, ptr, i32, <{n} x i1>)",
            ]
        )

    def variable(self) -> str:
        """A vector that can be set and got; the compiler keeps it in a register."""
        name = f"%{self._fresh()}"
        self._head.append(f"  {name} = alloca {self.vector}")
        return name

    def set(self, variable: str, value: str) -> None:
        self._body.append(f"  store {self.vector} {value}, ptr {variable}")

    def get(self, variable: str) -> str:
        return self._op(f"load {self.vector}, ptr {variable}")

    def load(self, pointer: str) -> str:
        return self._op(f"load {self.vector}, ptr {pointer}, align 4")

    def store(self, value: str, pointer: str) -> None:
        self._body.append(f"  store {self.vector} {value}, ptr {pointer}, align 4")

    def first(self, count: Number) -> str:
        """A mask of the first `count` lanes."""
        n = self.lanes
        one = self._op(f"insertelement <{n} x i64> poison, i64 {count}, i64 0")
        all_ = self._op(f"shufflevector <{n} x i64> {one}, <{n} x i64> poison, <{n} x i32> zeroinitializer")
        lanes = ", ".join(f"i64 {i}" for i in range(n))
        return self._op(f"icmp slt <{n} x i64> <{lanes}>, {all_}")

    def load_masked(self, pointer: str, mask: str) -> str:
        n, v = self.lanes, self.vector
        return self._op(
            f"call {v} @llvm.masked.load.v{n}f32.p0(ptr {pointer}, i32 4, <{n} x i1> {mask}, {v} zeroinitializer)"
        )

    def store_masked(self, value: str, pointer: str, mask: str) -> None:
        n, v = self.lanes, self.vector
        self._body.append(
            f"  call void @llvm.masked.store.v{n}f32.p0({v} {value}, ptr {pointer}, i32 4, <{n} x i1> {mask})"
        )

    def spread(self, pointer: str) -> str:
        """One float32 in all lanes."""
        n, value = self.lanes, self._op(f"load float, ptr {pointer}, align 4")
        one = self._op(f"insertelement {self.vector} poison, float {value}, i64 0")
        return self._op(f"shufflevector {self.vector} {one}, {self.vector} poison, <{n} x i32> zeroinitializer")

    def single(self, value: float) -> str:
        """The float32 nearest to `value`."""
        near = struct.unpack("f", struct.pack("f", value))[0]
        return f"0x{struct.unpack('<Q', struct.pack('<d', near))[0]:016X}"

    def const(self, value: float) -> str:
        """The float32 nearest to `value` in all lanes."""
        return "<" + ", ".join([f"float {self.single(value)}"] * self.lanes) + ">"

    def fma(self, a: str, b: str, c: str) -> str:
        """a·b + c, rounded once."""
        v = self.vector
        return self._op(f"call {v} @llvm.fma.v{self.lanes}f32({v} {a}, {v} {b}, {v} {c})")

    def fadd(self, a: str, b: str) -> str:
        return self._op(f"fadd {self.vector} {a}, {b}")

    def fsub(self, a: str, b: str) -> str:
        return self._op(f"fsub {self.vector} {a}, {b}")

    def fmul(self, a: str, b: str) -> str:
        return self._op(f"fmul {self.vector} {a}, {b}")

    def fdiv(self, a: str, b: str) -> str:
        return self._op(f"fdiv {self.vector} {a}, {b}")

    def larger(self, a: str, b: str) -> str:
        """Of two, lane by lane; b where they cannot be compared."""
        mask = self._op(f"fcmp ogt {self.vector} {a}, {b}")
        return self._op(f"select <{self.lanes} x i1> {mask}, {self.vector} {a}, {self.vector} {b}")

    def clamp(self, a: str, low: float, high: float) -> str:
        """Between low and high; not a number stays so."""
        n, v = self.lanes, self.vector
        for test, bound in (("ogt", self.const(high)), ("olt", self.const(low))):
            over = self._op(f"fcmp {test} {v} {a}, {bound}")
            a = self._op(f"select <{n} x i1> {over}, {v} {bound}, {v} {a}")
        return a

    def power_of_two(self, shifted: str) -> str:
        """2ⁿ, where `shifted` is n + 1.5·2²³: the lowest bits of such a float32 are those of n."""
        n, v = self.lanes, self.vector
        bits = self._op(f"bitcast {v} {shifted} to <{n} x i32>")
        every = lambda value: "<" + ", ".join([f"i32 {value}"] * n) + ">"  # noqa: E731
        biased = self._op(f"add <{n} x i32> {bits}, {every(127)}")
        exponent = self._op(f"shl <{n} x i32> {biased}, {every(23)}")
        return self._op(f"bitcast <{n} x i32> {exponent} to {v}")
