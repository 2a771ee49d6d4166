"""Keeps glibc from giving memory back to the system after every tensor."""

import ctypes
import sys

# Of mallopt(3): how much may lie free before it is returned, and how many blocks are taken from
# the system one by one.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def keep_memory() -> bool:
    """Lets this process keep what it freed, up to what it needed at its peak.

    By default each large tensor is a mapping of its own: the system clears its pages when they are
    first touched and takes them back when it is freed. Steps on a CPU spend a sixth of their time
    so.

    Returns:
        Whether this system has such a switch.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
