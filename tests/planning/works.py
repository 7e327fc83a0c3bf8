"""Work for other processes, in a module that loads fast."""

import os


def ends(item):
    """Ten times the item; of 0 the process ends."""
    if item == 0:
        os._exit(1)
    return 10 * item
