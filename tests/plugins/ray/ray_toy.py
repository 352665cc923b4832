"""Work for Ray; as a script with two workers, ray_toy.py PIECE... says what becomes of each."""

import os
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))


def gpus(seconds):
    """This process, and the GPUs that it was given."""
    time.sleep(seconds)
    return os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES")


if __name__ == "__main__":
    from fiber_audit_ray.executor import RayExecutor
    from local_toy import obey, say

    with RayExecutor(workers=2, retries=0) as workers:
        for piece, result in workers.map(obey, sys.argv[1:]):
            say(f"{piece} {type(result).__name__}")
    say("the end")
