"""A warm process whose evaluators do what their variable DO says, in Python.

python warm_stub.py FD
"""

import os
import socket
import sys
import threading

from lccp_evaluator.starting.warm import Server

COMMAND = (sys.executable, __file__)
WITH_A_THREAD = (*COMMAND, "--thread")


def program() -> None:
    exec(os.environ["DO"], {})


if __name__ == "__main__":
    if "--thread" in sys.argv:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    Server(socket.socket(fileno=int(sys.argv[-1])), program).serve()
