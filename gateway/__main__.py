"""`python -m gateway`, the same as the console script `gateway`."""

import os

# NumPy's OpenBLAS starts a thread for each core, and they compete with the event loop for it. With one thread a fit is faster.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported

from gateway.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
