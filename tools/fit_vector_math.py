#!/usr/bin/env python3
"""Fits the polynomials of tensor/vector_math.h by the Remez exchange and prints them with their errors.

Needs mpmath (Debian: python3-mpmath). Run: tools/fit_vector_math.py
"""
from mpmath import mp, mpf, erf, erfc, exp, log, lu_solve, matrix, sqrt, tanh

mp.dps = 40


def remez(f, degree, low, high, weight, rounds=12, samples=1500):
    """The polynomial p that makes the largest |weight · (p - f)| on [low, high] smallest, and that largest value."""
    n = degree + 2
    low, high = mpf(low), mpf(high)
    points = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / (n - 1)) for i in range(n)]
    grid = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / samples) for i in range(samples + 1)]
    values = [(x, f(x), weight(x)) for x in grid]
    for _ in range(rounds):
        a, b = matrix(n, n), matrix(n, 1)
        for i, x in enumerate(points):
            for j in range(degree + 1):
                a[i, j] = x**j
            a[i, degree + 1] = (-1) ** i / weight(x)
            b[i] = f(x)
        c = list(lu_solve(a, b))[: degree + 1]
        errors = [(w * (mp.polyval(c[::-1], x) - y), x) for x, y, w in values]
        extremes = []  # the largest error of each run of equal sign
        for e, x in errors:
            if extremes and extremes[-1][0] * e > 0:
                if abs(e) > abs(extremes[-1][0]):
                    extremes[-1] = (e, x)
            else:
                extremes.append((e, x))
        while len(extremes) > n:
            extremes.pop(0 if abs(extremes[0][0]) < abs(extremes[-1][0]) else -1)
        if len(extremes) < n:
            break
        points = [x for _, x in extremes]
    return c, max(abs(e) for e, _ in errors)


def near_zero(f, x, tiny):
    """f, by its value just beside zero where the formula would divide zero by zero."""
    return f(x if abs(x) > mpf(tiny) else mpf(tiny))


def report(name, meaning, c, error):
    print(f"// {meaning}: {mp.nstr(error, 3)}")
    print(f"{name} = {{" + ", ".join(mp.nstr(v, 10) + "f" for v in c) + "};\n")


half_ln2 = log(2) / 2 * mpf("1.0001")
report("exp", "e^r = 1 + r + r^2 q(r), |r| <= ln2/2, relative error",
       *remez(lambda x: near_zero(lambda r: (exp(r) - 1 - r) / r**2, x, "1e-8"), 4, -half_ln2, half_ln2,
              lambda r: r**2 / exp(r) + mpf("1e-9")))
report("log", "log(1 + f) = f - f^2/2 + f^3 q(f), relative error",
       *remez(lambda x: near_zero(lambda f: (log(1 + f) - f + f**2 / 2) / f**3, x, "1e-6"), 8, sqrt(mpf("0.5")) - 1,
              sqrt(mpf(2)) - 1, lambda f: near_zero(lambda g: abs(g**3 / log(1 + g)), f, "1e-3")))
report("tanh", "tanh(x) = x + x z q(z), z = x^2, |x| <= 0.625, relative error",
       *remez(lambda z: near_zero(lambda y: (tanh(sqrt(y)) / sqrt(y) - 1) / y, z, "1e-10"), 4, 0, "0.390625",
              lambda z: z + mpf("1e-4")))
report("erf", "erf(x) = x + x q(z), z = x^2, |x| <= 1, relative error",
       *remez(lambda z: near_zero(lambda y: erf(sqrt(y)) / sqrt(y) - 1, z, "1e-12"), 6, 0, 1, lambda z: mpf(1)))


def tail(t):
    return erfc(t / sqrt(mpf(2))) / 2


# An error d of the exponent is a relative error ln2 d of the result, and rounding alone costs about 2^-24 of the exponent:
# the weight asks for most where the exponent is small.
report("tail", "log2(erfc(t/sqrt2)/2) = -1 + t q(t), 0 <= t <= 14.5, error over (1 + |exponent|)^2",
       *remez(lambda x: near_zero(lambda t: (log(tail(t), 2) + 1) / t, x, "1e-10"), 12, 0, "14.5",
              lambda t: (t + mpf("0.01")) / (1 + abs(log(tail(t), 2))) ** 2, samples=700))

SLOPE = mpf("0.38")


def scaled_tail(s):
    """Q(t) e^(t^2/2) with s = 1/(1 + 0.38 t)."""
    t = (1 / s - 1) / SLOPE
    return erfc(t / sqrt(2)) / 2 * exp(t**2 / 2)


report("scaled_tail (cuda/rough_gelu.cuh)", "Q(t) e^(t^2/2) = s p(s), s = 1/(1 + 0.38 t), 0 <= t <= 14.5, relative error",
       *remez(lambda s: scaled_tail(s) / s, 4, 1 / (1 + SLOPE * mpf("14.5")), 1, lambda s: s / scaled_tail(s)))
