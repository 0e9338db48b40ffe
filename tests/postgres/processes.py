"""Processes that do something, beside or at one moment with others."""

from __future__ import annotations

import functools
import os
import traceback


def fork(work):
    """Have a child process do something; it exits with 1 if that raises."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001  # said here, or nobody would learn of it
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def exit_code_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def at_once(works):
    """Do things in processes of their own that begin at one moment; returns their exit codes."""
    begin, hold = os.pipe()

    def wait_and(work):
        os.close(hold)
        os.read(begin, 1)
        work()

    pids = [fork(functools.partial(wait_and, work)) for work in works]
    os.close(begin)
    os.close(hold)
    return [exit_code_of(pid) for pid in pids]
