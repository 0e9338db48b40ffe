"""Runs scripts under strace, in forks of one process that has imported everything already.

A script takes a tenth of a second to start, twice that where strace watches, and next to nothing to
run. Each line of standard input asks for one: {"script", "arguments", "tracer"}, the last a command
that lacks the number of the process. Each line of standard output gives one's exit code, negative
for a signal.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys

import tracking.merging
import tracking.tracker  # noqa: F401  # all that scripts use comes with these two

_PR_SET_PTRACER = 0x59616D61
_ANYBODY = ctypes.c_ulong(-1)


def serve() -> tuple[str, list[str]] | None:
    """Fork for each request; returns the script and its arguments in the child, None at the end."""
    for line in sys.stdin:
        request = json.loads(line)
        here, there = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            # The tracer is a sibling, and some systems let only ancestors trace a process.
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
            here.close()
            there.send(b"\0")
            there.recv(1)
            there.close()
            return request["script"], request["arguments"]
        there.close()
        here.recv(1)
        command = [*request["tracer"], str(pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            said = tracer.stderr.readline()
            here.close()
            _, status = os.waitpid(pid, 0)
            said += tracer.stderr.read()
        if not said.endswith(" attached\n"):
            sys.exit(f"{command} said {said!r}")
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    return None


if __name__ == "__main__":
    found = serve()
    if found is not None:
        script, sys.argv[1:] = found
        exec(compile(script, "<script>", "exec"), {"__name__": "__main__"})
