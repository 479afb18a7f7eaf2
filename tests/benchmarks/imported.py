"""A fresh process that imports what it is told: prints the seconds and the resident bytes afterwards.

It must import as little as it can before that: no NumPy, nothing of the benchmark.
"""

import sys
import time


def resident(row: str) -> int:
    """Bytes in a row of /proc/self/status ("VmRSS" now, "VmHWM" the most so far); 0 where there is none (not Linux)."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(row))
    except OSError:
        return 0


if __name__ == "__main__":
    start = time.perf_counter()
    exec(sys.argv[1])
    print(time.perf_counter() - start, resident("VmRSS"))
