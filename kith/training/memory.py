"""How a process of training holds its memory."""

import ctypes

# Options of mallopt, as malloc.h of glibc has them, and how many bytes each is set to.
TRIM_THRESHOLD, MMAP_THRESHOLD = (-1, 2**31 - 1), (-3, 2**30)


def keep_freed_memory() -> bool:
    """Have the C library keep memory that is freed, for what comes next; returns whether it does.

    A step of training frees what the next one asks for again. Large blocks go back to the system meanwhile, which
    clears every page anew: a tenth of the time of a small network on a processor. The most memory that is held stays
    the same. Only glibc can be told, and nothing is told to others.

    >>> keep_freed_memory() in (True, False)
    True
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(option, size) == 1 for option, size in (TRIM_THRESHOLD, MMAP_THRESHOLD))
