"""Ways to spoil a value: what a person, a file or another program may give in its place."""

import numpy as np


def entry(value):
    """A spoil: one entry of the numbers becomes that value."""

    def put(old):
        found = np.array(old, dtype=np.result_type(np.asarray(old).dtype, np.float64))
        found.flat[found.size // 2] = value
        return found if found.ndim else found.item()

    return put


OF_NUMBERS = {
    **{f"an entry {value}": entry(value) for value in (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e9, 1e300, 0.3)},
    "one axis more": lambda old: np.asarray(old)[None],
    "cut short": lambda old: np.atleast_1d(old)[..., :-1],
    "one entry too many": lambda old: np.repeat(np.atleast_1d(old), 2, axis=-1),
    "turned": lambda old: np.asarray(old).T,
    "a mean": lambda old: float(np.abs(np.mean(old))),
    "a list": lambda old: np.asarray(old).tolist(),
    "single precision": lambda old: np.asarray(old).astype(np.float32),
    "whole numbers": lambda old: np.abs(np.asarray(old)).astype(np.uint16),
    "imaginary": lambda old: np.asarray(old) * 1j,
    "texts": lambda old: np.asarray(old).astype(str),
    "objects": lambda old: np.asarray(old).astype(object),
}
OF_ANYTHING = [None, object(), "", "yes", b"x", -3, 0, 2.5, np.nan, True, {}, [], (), ["a", "b"], [None], [[1.0], []],
               np.zeros(0), np.zeros((2, 0)), 10**30, 1j, np.datetime64("2026-05-29"), np.int64(3)]  # fmt: skip


def ways(value):
    """How a value can be spoiled: keys of OF_NUMBERS, and positions in OF_ANYTHING."""
    numbers = isinstance(value, np.ndarray | float | int) and not isinstance(value, bool)
    return [*(OF_NUMBERS if numbers else ()), *range(len(OF_ANYTHING))]


def spoiled(value, how):
    """The value, spoiled in that way."""
    return OF_NUMBERS[how](value) if isinstance(how, str) else OF_ANYTHING[how]
