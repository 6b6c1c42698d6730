"""Textbook loops in Python's own numbers; nothing here comes from the library that they judge."""

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

Pairs = list[tuple[Any, Any]]
"""The factors of the products that one element of a result sums."""


def matmul_loops(a: np.ndarray, b: np.ndarray, a_zero: np.ndarray, b_zero: np.ndarray) -> list[list[int]]:
    """`C[m][n] = sum_k (a[m, k] - a_zero[m]) (b[n, k] - b_zero[n])` in integers without end."""
    result = []
    for m in range(a.shape[0]):
        row = []
        for n in range(b.shape[0]):
            total = 0
            for k in range(a.shape[1]):
                total += (int(a[m, k]) - int(a_zero[m])) * (int(b[n, k]) - int(b_zero[n]))
            row.append(total)
        result.append(row)
    return result


def matmul_pairs(x: np.ndarray, w: np.ndarray) -> list[list[Pairs]]:
    """What each element of `x @ w.T` sums: the products that are not with 0."""
    return [[[(x[b, k], w[n, k]) for k in range(w.shape[1]) if w[n, k]] for n in range(len(w))] for b in range(len(x))]


def kept(columns: np.ndarray, row_start: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """`(row, position, column)` of each kept weight."""
    for row in range(len(row_start) - 1):
        for position in range(int(row_start[row]), int(row_start[row + 1])):
            yield row, position, int(columns[position])


def masked_matmul_pairs(
    x: np.ndarray, values: np.ndarray, columns: np.ndarray, row_start: np.ndarray, inputs: int
) -> list[list[Pairs]]:
    """What each `y[batch][row]` sums."""
    y: list[list[Pairs]] = [[[] for _ in range(len(row_start) - 1)] for _ in range(len(x))]
    for row, position, column in kept(columns, row_start):
        for b in range(len(x)):
            y[b][row].append((x[b, column], values[position]))
    return y


def masked_input_grad_pairs(
    dy: np.ndarray, values: np.ndarray, columns: np.ndarray, row_start: np.ndarray, inputs: int
) -> list[list[Pairs]]:
    """What each `dx[batch][column]` sums."""
    dx: list[list[Pairs]] = [[[] for _ in range(inputs)] for _ in range(len(dy))]
    for row, position, column in kept(columns, row_start):
        for b in range(len(dy)):
            dx[b][column].append((dy[b, row], values[position]))
    return dx


def masked_weight_grad_pairs(
    x: np.ndarray, dy: np.ndarray, columns: np.ndarray, row_start: np.ndarray, inputs: int
) -> list[list[Pairs]]:
    """What each `dvalues[position]` sums, as one row."""
    return [[[(x[b, column], dy[b, row]) for b in range(len(x))] for row, _, column in kept(columns, row_start)]]


def masked_codes_loops(
    a: np.ndarray, codes: np.ndarray, columns: np.ndarray, row_start: np.ndarray, a_zero: np.ndarray, zero: np.ndarray
) -> list[list[int]]:
    """As `matmul_loops`, over the kept codes only: an absent weight is 0, not its zero point's distance from 0."""
    c = [[0] * (len(row_start) - 1) for _ in range(len(a))]
    for row, position, column in kept(columns, row_start):
        for b in range(len(a)):
            c[b][row] += (int(a[b, column]) - int(a_zero[b])) * (int(codes[position]) - int(zero[row]))
    return c


def assert_sums(result: np.ndarray, expected: list[list[Pairs]]) -> None:
    """Each element is its sum of n products within `(n + 2) eps sum |products|`, in whatever order it was added.

    n products and n - 1 sums, each rounded to half an eps at most, leave `n eps / 2` to first order (Higham 2002,
    section 3.1), and n so small never doubles it. A product that underflows rounds to within a subnormal instead.
    """
    eps, tiny = Fraction(float(np.finfo(result.dtype).eps)), Fraction(float(np.finfo(result.dtype).smallest_subnormal))
    flat = [pairs for row in expected for pairs in row]
    assert result.size == len(flat)
    for value, pairs in zip(result.flat, flat):
        products = [Fraction(float(p)) * Fraction(float(q)) for p, q in pairs]
        bound = (len(pairs) + 2) * eps * sum(map(abs, products)) + len(pairs) * tiny
        assert abs(Fraction(float(value)) - sum(products)) <= bound, (value, pairs)


def adam_loop(
    w: float, gradients: Sequence[float], u: float,
    rate: float, beta1: float, beta2: float, eps: float, decay: float,
) -> tuple[float, float]:  # fmt: skip
    """One weight after Adam with decoupled decay, and how far arithmetic of unit roundoff u may stray from it.

    A step of m rounds beta1, 1 - beta1, both products and the sum: 3 u of the sum of sizes at most, and v the same with
    one more product. The quotient's error is relative to the size of what m summed: m may cancel, its error does not.
    """
    m = v = size = strayed = 0.0
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        size = beta1 * size + (1 - beta1) * abs(g)
        unit = rate / (1 - beta1**t) / (math.sqrt(v / (1 - beta2**t)) + eps)
        # m: 3 u t. The root: half of v's 4 u t, 3 for itself, its factor and their product; 2 for eps and the sum.
        # 4 for the rate, its product, the quotient, the difference; of w itself 3: the factor, product and difference.
        w -= rate * decay * w
        strayed += u * (3 * abs(w) + (5 * t + 9) * unit * size)
        w -= unit * m
    return w, 2 * strayed  # twice: the second order, and the rounding of this very loop


def sgd_loop(
    w: float, gradients: Sequence[float], u: float, rate: float, momentum: float, nesterov: bool
) -> tuple[float, float]:
    """One weight after SGD, and how far arithmetic of unit roundoff u may stray from it."""
    v = size = strayed = 0.0
    for t, g in enumerate(gradients, 1):
        v = momentum * v + g
        size = momentum * size + abs(g)
        step, step_size = (g + momentum * v, abs(g) + momentum * size) if nesterov else (v, size)
        # v: 3 u t for momentum, product and sum. Nesterov's three again; 3 for the rate, its product, the difference.
        strayed += u * (abs(w) + (3 * t + 6) * rate * step_size)
        w -= rate * step
    return w, 2 * strayed


def unchanged(function: Callable, *args: Any) -> Any:
    """What the function returns, having made sure that it changed none of the arrays in its arguments."""
    before = [a.copy() for a in _arrays(args)]
    result = function(*args)
    for old, new in zip(before, _arrays(args)):
        assert old.tobytes() == new.tobytes()
    return result


def _arrays(args: Any) -> Iterator[np.ndarray]:
    for arg in args:
        if isinstance(arg, np.ndarray):
            yield arg
        elif isinstance(arg, tuple | list):
            yield from _arrays(arg)


def encode_loops(x: np.ndarray, scale: np.float32, zero: int, low: int, high: int) -> list[list[int]]:
    """The codes one by one: the quotient of two float32, rounded in float64 and then again, is the float32 quotient."""
    codes = []
    for row in x:
        quotients = [float(value) / float(scale) for value in row]
        rounded = [float(np.float32(min(max(q, -1e30), 1e30))) for q in quotients]
        codes.append([min(max(round(q) + zero, low), high) for q in rounded])
    return codes


def linear_fractions(
    a: np.ndarray, b: np.ndarray, a_zero: np.ndarray, b_zero: np.ndarray, a_scale: np.ndarray, scale: np.ndarray,
    bias: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """A quantized layer's outputs without rounding until the end, and the sum of the sizes of what each adds."""
    sums = matmul_loops(a, b, a_zero, b_zero)
    exact, sizes = np.empty((len(a), len(b))), np.empty((len(a), len(b)))
    for m, row in enumerate(sums):
        for n, acc in enumerate(row):
            z = acc * Fraction(float(a_scale[m])) * Fraction(float(scale[n]))
            exact[m, n], sizes[m, n] = z + Fraction(float(bias[n])), abs(z) + abs(Fraction(float(bias[n])))
    return exact, sizes
