"""Array types used everywhere in gridmodel, shapes in the docstrings; and the angle between phases."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

TURN = np.exp(2j * np.pi / 3)
"""by which phase a is ahead of b, and b of c"""
