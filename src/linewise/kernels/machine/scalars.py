"""Numbers, pointers and loops in LLVM's intermediate language.

Numbers that live in the program are strings (`%v7`); Python's own are constants of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

Number = str | int
"""An i64 or a pointer of the program, or a constant."""


class Scalars:
    """The part of a function that is no vectors: 64-bit numbers, pointers, loops.

    Programs are written with `Code`, which knows vectors too.
    """

    def __init__(self) -> None:
        self._head: list[str] = []
        self._body: list[str] = []
        self._names = 0

    def _fresh(self) -> str:
        self._names += 1
        return f"v{self._names}"

    def _op(self, text: str) -> str:
        name = f"%{self._fresh()}"
        self._body.append(f"  {name} = {text}")
        return name

    # --- numbers and pointers

    def argument(self, index: int, kind: str = "i64") -> str:
        """Argument `index`, an `i64` or a `ptr`."""
        place = self._op(f"getelementptr i64, ptr %args, i64 {index}")
        return self._op(f"load {kind}, ptr {place}")

    def add(self, a: Number, b: Number) -> str:
        return self._op(f"add i64 {a}, {b}")

    def sub(self, a: Number, b: Number) -> str:
        return self._op(f"sub i64 {a}, {b}")

    def mul(self, a: Number, b: Number) -> str:
        return self._op(f"mul i64 {a}, {b}")

    def whole(self, a: Number, size: int) -> str:
        """The largest multiple of `size` that is not above a, itself not negative."""
        return self.mul(self.quotient(a, size), size)

    def quotient(self, a: Number, b: Number) -> str:
        """a/b rounded down, neither negative."""
        return self._op(f"udiv i64 {a}, {b}")

    def both(self, a: Number, b: Number) -> str:
        """Bits set in a and b."""
        return self._op(f"and i64 {a}, {b}")

    def less(self, a: Number, b: Number) -> str:
        return self._op(f"icmp slt i64 {a}, {b}")

    def both_true(self, a: str, b: str) -> str:
        return self._op(f"and i1 {a}, {b}")

    def choose(self, condition: str, a: Number, b: Number, kind: str = "i64") -> str:
        return self._op(f"select i1 {condition}, {kind} {a}, {kind} {b}")

    def least(self, a: Number, b: Number) -> str:
        return self.choose(self.less(a, b), a, b)

    def at(self, pointer: str, *offsets: Number) -> str:
        """The place so many float32 after `pointer`."""
        for offset in offsets:
            pointer = self._op(f"getelementptr float, ptr {pointer}, i64 {offset}")
        return pointer

    def number_at(self, pointer: str, index: Number) -> str:
        """An i64 of a table."""
        return self._op(f"load i64, ptr {self._op(f'getelementptr i64, ptr {pointer}, i64 {index}')}")

    # --- single numbers in memory, `i64` or `float`

    def room(self, kind: str) -> str:
        """A number that can be put and taken."""
        name = f"%{self._fresh()}"
        self._head.append(f"  {name} = alloca {kind}")
        return name

    def put(self, kind: str, value: Number, pointer: str) -> None:
        self._body.append(f"  store {kind} {value}, ptr {pointer}")

    def take(self, kind: str, pointer: str) -> str:
        return self._op(f"load {kind}, ptr {pointer}")

    def plus(self, a: str, b: str) -> str:
        """Of two float32."""
        return self._op(f"fadd float {a}, {b}")

    def above(self, a: str, b: str) -> str:
        """Whether a > b, float32."""
        return self._op(f"fcmp ogt float {a}, {b}")

    def over(self, a: str, b: str) -> str:
        """Whether a > b, or one of them is not a number; float32."""
        return self._op(f"fcmp ugt float {a}, {b}")

    def same(self, a: Number, b: Number) -> str:
        return self._op(f"icmp eq i64 {a}, {b}")

    def differ(self, a: Number, b: Number) -> str:
        return self._op(f"icmp ne i64 {a}, {b}")

    # --- control

    @contextmanager
    def loop(self, start: Number, stop: Number, step: Number = 1) -> Iterator[str]:
        """For each number from `start` up to, not with, `stop`."""
        counter, label = f"%{self._fresh()}", self._fresh()
        self._head.append(f"  {counter} = alloca i64")
        self._body += [f"  store i64 {start}, ptr {counter}", f"  br label %{label}.test", f"{label}.test:"]
        i = self._op(f"load i64, ptr {counter}")
        go_on = self.less(i, stop)
        self._body += [f"  br i1 {go_on}, label %{label}.do, label %{label}.end", f"{label}.do:"]
        yield i
        self._body += [f"  store i64 {self.add(i, step)}, ptr {counter}", f"  br label %{label}.test"]
        self._body.append(f"{label}.end:")

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        label = self._fresh()
        self._body += [f"  br i1 {condition}, label %{label}.do, label %{label}.end", f"{label}.do:"]
        yield
        self._body += [f"  br label %{label}.end", f"{label}.end:"]
