"""The constants of include/lenet_c/simd_math.h: minimax fits by Remez's algorithm. Needs mpmath.

A tanh(S a) = a P(a^2) / Q(a^2), P and Q of degree 4, smallest largest relative error on |S a| <= 9.
exp(r) = 1 + r + r^2 R(r), R of degree 4, on |r| <= log(2) / 2.
log(1 + f) = f - f^2 / 2 + f^3 R(f), R of degree 7, on sqrt(1/2) <= 1 + f <= sqrt(2).
w^(-1/3), of degree 2, on 0.899 <= w <= 1.106: what the first guess of 1 / cbrt(a) leaves of a r^3.

    python tools/fit_simd.py
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 40


def solve(points, f, degree_p, degree_q, error):
    """P, Q and E with P(t) = f(t) Q(t) (1 + (-1)^i E) in the points t_i, t scaled to 0 .. 1."""
    n, top = len(points), points[-1]
    q_at = [mp.mpf(1)] * n
    for _ in range(60):
        matrix, right = mp.matrix(n, n), mp.matrix(n, 1)
        for i, t in enumerate(points):
            value, sign, u = f(t), (-1) ** i, t / top
            for k in range(degree_p + 1):
                matrix[i, k] = u**k
            for k in range(1, degree_q + 1):
                matrix[i, degree_p + k] = -value * u**k * (1 + sign * error)
            matrix[i, n - 1] = -value * sign * q_at[i]
            right[i] = value * (1 + sign * error)
        x = mp.lu_solve(matrix, right)
        p = [x[k] for k in range(degree_p + 1)]
        q = [mp.mpf(1)] + [x[degree_p + k] for k in range(1, degree_q + 1)]
        q_at = [mp.polyval(q[::-1], t / top) for t in points]
        error += x[n - 1]
        if abs(x[n - 1]) < mp.mpf(10) ** -25:
            break
    return p, q, error


def extrema(f, p, q, top, count):
    """The places of the largest errors of alternating sign."""

    def error(t):
        return mp.polyval(p[::-1], t / top) / mp.polyval(q[::-1], t / top) / f(t) - 1

    steps = 1200
    grid = [top * (mp.mpf(i) / steps) ** 3 for i in range(steps + 1)]
    errors = [error(t) for t in grid]
    chosen = []
    for i in range(steps + 1):
        inside = 0 < i < steps
        if inside and (errors[i] - errors[i - 1]) * (errors[i + 1] - errors[i]) > 0:
            continue
        if chosen and mp.sign(errors[i]) == mp.sign(errors[chosen[-1]]):
            if abs(errors[i]) > abs(errors[chosen[-1]]):
                chosen[-1] = i
        else:
            chosen.append(i)
    while len(chosen) > count:
        chosen.pop(0 if abs(errors[chosen[0]]) < abs(errors[chosen[-1]]) else -1)
    places = []
    for i in chosen:
        low, high = grid[max(i - 1, 0)], grid[min(i + 1, steps)]
        while 0 < i < steps and high - low > top * mp.mpf(10) ** -14:
            a, b = low + (high - low) / 3, high - (high - low) / 3
            low, high = (low, b) if abs(error(a)) > abs(error(b)) else (a, high)
        places.append((low + high) / 2 if 0 < i < steps else grid[i])
    return places, max(abs(e) for e in errors)


def fit_tanh(amplitude, slope, degree=4):
    """Coefficients of P and Q, lowest first, and the largest relative error."""
    top, n = (9 / slope) ** 2, 2 * degree + 2

    def f(t):
        if t < mp.mpf(10) ** -20:
            return amplitude * slope
        return amplitude * mp.tanh(slope * mp.sqrt(t)) / mp.sqrt(t)

    points = [top * ((1 - mp.cos(mp.pi * i / (n - 1))) / 2) ** 2 for i in range(n)]
    error, worst = mp.mpf(0), None
    for _ in range(30):
        p, q, error = solve(points, f, degree, degree, error)
        new, worst = extrema(f, p, q, top, n)
        if len(new) < n or max(abs(a - b) for a, b in zip(new, points, strict=True)) < top * 1e-10:
            break
        points = new
    p = [c / top**k for k, c in enumerate(p)]
    q = [c / top**k for k, c in enumerate(q)]
    return p, q, worst


def guesses():
    """The least and greatest a r^3 of lenet_cbrt's first guess r, for a in 1 .. 8."""
    a = np.linspace(1, 8, 1_000_001, dtype=np.float32)
    bits = np.float32(1419910442) - a.view(np.int32).astype(np.float32) / np.float32(3)
    w = a * bits.astype(np.int32).view(np.float32).astype(float) ** 3
    return w.min(), w.max()


def main():
    p, q, error = fit_tanh(mp.mpf("1.7159"), mp.mpf(2) / 3)
    print("1.7159 tanh(2a/3): relative error", mp.nstr(error, 3))
    print("P", [mp.nstr(c, 17) for c in p])
    print("Q", [mp.nstr(c, 17) for c in q])
    half = mp.log(2) / 2 * mp.mpf("1.001")
    r = mp.chebyfit(
        lambda r: (mp.exp(r) - 1 - r) / r**2 if abs(r) > 1e-8 else mp.mpf(1) / 2 + r / 6,
        [-half, half],
        5,
    )
    print("exp: R, highest first", [mp.nstr(c, 12) for c in r])
    r = mp.chebyfit(
        lambda f: (mp.log(1 + f) - f + f**2 / 2) / f**3 if abs(f) > 1e-6 else mp.mpf(1) / 3 - f / 4,
        [mp.sqrt(mp.mpf(1) / 2) - 1, mp.sqrt(2) - 1],
        8,
    )
    print("log: R, highest first", [mp.nstr(c, 12) for c in r])
    low, high = guesses()
    print("cbrt: a r^3 of the first guess lies in", low, high)
    r, error = mp.chebyfit(lambda w: mp.cbrt(1 / w), [0.899, 1.106], 3, error=True)
    print("cbrt: highest first", [mp.nstr(c, 12) for c in r], "error", mp.nstr(error, 3))


if __name__ == "__main__":
    main()
