"""A process that has run a suite and forks to run a command, which then costs no imports.

It reads a JSON table a line from stdin and answers each with one: a command to start, with its
process id; or the id of one to wait for, with its exit code, negative where a signal ended it.
"""

import atexit
import gc
import json
import os
import signal
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

GRACE = 2.0
"""Seconds that a command has to stop; users give it more."""


def warm(suite, plugins):
    """Import whatever a run imports, by a run."""
    from fiber_audit.commands.main import guarded

    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        path = Path(folder) / "suite.toml"
        path.write_text(suite)
        code = guarded(["run", str(path), "--out", f"{folder}/run", *plugins])
    assert code == 0


def serve():
    import fiber_audit.commands.main
    from fiber_audit.commands import supervised

    warm(*json.loads(sys.stdin.readline()))
    supervised.GRACE = GRACE
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        elif "poll" in order:
            ended, status = os.waitpid(order["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        elif not (answer := os.fork()):
            break
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    else:
        return
    os.setsid()  # all processes of a command have its session
    os.chdir(order["folder"])
    for stream, name in enumerate(("/dev/null", "out", order["err"])):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), stream)
    for number in order["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    sys.argv[1:] = order["arguments"]
    try:
        fiber_audit.commands.main.main()
    except SystemExit as ended:  # to take all modules apart would cost more than the command
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(ended.code)


if __name__ == "__main__":
    serve()
