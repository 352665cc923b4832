"""A process that has imported everything and forks to run a command, which then costs no imports.

It reads a JSON table a line from stdin and answers each with one: a command to start, with its
process id; or the id of one to wait for, with its exit code, negative where a signal ended it.
"""

import json
import os
import signal
import sys


def serve():
    import matplotlib.pyplot  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import fiber_audit._run
    import fiber_audit.commands.main

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
    for stream, name in enumerate(("/dev/null", "out", "err")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), stream)
    for number in order["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    sys.argv[1:] = order["arguments"]
    fiber_audit.commands.main.main()


if __name__ == "__main__":
    serve()
