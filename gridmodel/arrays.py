"""Array types of gridmodel and envelope (shapes are in docstrings), and the angle between phases."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Single = NDArray[np.float32]
Floating = NDArray[np.floating[Any]]
Watts = NDArray[np.int64]
"""whole watts"""
Whole = NDArray[np.int64]
"""whole numbers, such as epoch seconds"""
Complex = NDArray[np.complex128]
ComplexSingle = NDArray[np.complex64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

TURN = np.exp(2j * np.pi / 3)
"""by which phase a is ahead of b, and b of c"""
SYMMETRIC = np.array([1.0, 1.0 / TURN, TURN])
"""directions of the phases a, b and c of a symmetric voltage"""
