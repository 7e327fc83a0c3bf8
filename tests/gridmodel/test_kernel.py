"""The compiled half of an iteration against numpy, and that nothing non-finite slips through its fast arithmetic."""

import numpy as np
import pytest

from gridmodel.flow.kernels import inject, step

DTYPES = [np.complex64, np.complex128]


def run(dtype, rows=5, ports=13, seed=0):
    rng = np.random.default_rng(seed)
    drop, w, s, v = (
        (rng.normal(size=(rows, ports)) + 1j * rng.normal(size=(rows, ports))).astype(dtype) for _ in range(4)
    )
    return drop, w, s, v, np.empty_like(v), np.empty(rows, drop.real.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_step(dtype):
    drop, w, s, v, i, moved = run(dtype)
    new, far = drop + w, np.abs(drop + w - v)
    step(drop, w, s, v, i, moved)
    tolerance = 1e-5 if dtype is np.complex64 else 1e-12
    np.testing.assert_allclose(v, new)
    np.testing.assert_allclose(i, np.conj(s / new), rtol=tolerance)
    np.testing.assert_allclose(moved, (far**8).sum(axis=1) ** 0.125, rtol=10.0 * tolerance)
    assert (moved >= far.max(axis=1) * (1.0 - tolerance)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, complex(0, np.nan)])
@pytest.mark.parametrize("port", [0, 6, 12])
def test_what_is_not_finite_never_counts_as_settled(dtype, value, port):
    drop, w, s, v, i, moved = run(dtype)
    drop[2, port] = value
    step(drop, w, s, v, i, moved)
    assert moved[2] == np.inf
    assert np.isfinite(np.delete(moved, 2)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_currents_of_powers(dtype):
    _, _, s, v, i, _ = run(dtype)
    inject(s, v, i)
    np.testing.assert_allclose(i, np.conj(s / v), rtol=1e-5 if dtype is np.complex64 else 1e-12)
