"""How many threads a process has, said before its libraries are imported."""

from __future__ import annotations


def thread_variables(threads: int) -> dict[str, str]:
    """The environment variables that OpenMP and BLAS read.

    >>> thread_variables(1)["OMP_NUM_THREADS"]
    '1'
    """
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    # or else MKL, and torch with it, stops at the number of cores
    return {**dict.fromkeys(names, str(threads)), "MKL_DYNAMIC": "FALSE"}
