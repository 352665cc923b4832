"""A script with two workers of Ray: python ray_toy.py PIECE... says what becomes of each."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

if __name__ == "__main__":
    from fiber_audit_ray.executor import RayExecutor
    from local_toy import obey, say

    with RayExecutor(workers=2, retries=0) as workers:
        for piece, result in workers.map(obey, sys.argv[1:]):
            say(f"{piece} {type(result).__name__}")
    say("the end")
