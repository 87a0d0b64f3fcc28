"""How a process of training holds its memory."""

import ctypes

# Options of mallopt, as malloc.h of glibc has them: at how many free bytes it gives them back, and from how many on a
# block is the system's own.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
LARGEST = (2**30, 2**25)  # bytes; older versions refuse more than the second


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
    # Each option ends that the library sets the other by itself: without the first, blocks of 128 KiB would go back.
    return any(mallopt(MMAP_THRESHOLD, size) == 1 for size in LARGEST) and mallopt(TRIM_THRESHOLD, 2**31 - 1) == 1
