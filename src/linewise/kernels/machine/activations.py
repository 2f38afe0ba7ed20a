"""tanh and the logistic sigmoid of vectors, to about 1e-7."""

from __future__ import annotations

from linewise.kernels.machine.code import Code

LOG2_E, LN2_HIGH, LN2_LOW = 1.44269504088896341, 0.693359375, -2.12194440e-4
ROUNDER = 12582912.0
"""1.5·2²³: added to a small float32, it leaves a whole number."""
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
"""Of r², falling powers of r (Cephes' expf)."""
TANH_ABOVE = (
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
    1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03,
)  # fmt: skip
TANH_BELOW = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
TANH_END = 7.90531110763549805
"""From here on float32 has no number between tanh and 1. The rational function is Eigen's."""


def _polynomial(code: Code, x: str, factors: tuple[float, ...]) -> str:
    value = code.const(factors[0])
    for factor in factors[1:]:
        value = code.fma(value, x, code.const(factor))
    return value


def tanh(code: Code, x: str) -> str:
    x = code.clamp(x, -TANH_END, TANH_END)
    square = code.fmul(x, x)
    above = code.fmul(x, _polynomial(code, square, TANH_ABOVE))
    return code.fdiv(above, _polynomial(code, square, TANH_BELOW))


def sigmoid(code: Code, x: str) -> str:
    """1/(1 + 2ⁿ·eʳ) with -x = n·ln 2 + r; small values keep their leading digits."""
    e, power = _exp(code, code.fsub(code.const(-0.0), x))
    return code.fdiv(code.const(1.0), code.fma(e, power, code.const(1.0)))


def exp(code: Code, x: str) -> str:
    e, power = _exp(code, x)
    return code.fmul(e, power)


def _exp(code: Code, x: str) -> tuple[str, str]:
    """eʳ and 2ⁿ with x = n·ln 2 + r, for x between -87 and 87."""
    x = code.clamp(x, -87.0, 87.0)
    shifted = code.fma(x, code.const(LOG2_E), code.const(ROUNDER))
    whole = code.fsub(shifted, code.const(ROUNDER))
    rest = code.fma(whole, code.const(-LN2_HIGH), x)
    rest = code.fma(whole, code.const(-LN2_LOW), rest)
    e = code.fma(_polynomial(code, rest, EXP), code.fmul(rest, rest), code.fadd(rest, code.const(1.0)))
    return e, code.power_of_two(shifted)


def one_minus(code: Code, x: str) -> str:
    return code.fsub(code.const(1.0), x)
