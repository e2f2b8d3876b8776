"""The program an agent starts to reach our tools: it joins its own pipes to a socket of the runner.

It runs where the agent runs, inside the sandbox, by this file's path in an isolated interpreter:
standard library only. Its one argument is the folder of the socket, which is entered first, since
a socket's path must be short; the token comes in its environment and goes first over the line.
"""

import os
import socket
import sys
import threading

SOCKET = "tools.sock"
TOKEN = "KANBANAI_TOOLS_TOKEN"  # noqa: S105 - a name
_PIECE = 65_536


def main(arguments: list[str]) -> int:
    """This will carry lines in both directions until either side ends."""
    os.chdir(arguments[0])
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.connect(SOCKET)
    except OSError as error:
        sys.stderr.write(f"the tools are not there: {error}\n")
        return 1
    line.sendall(os.environ.pop(TOKEN, "").encode() + b"\n")
    threading.Thread(target=_speak, args=(line,), daemon=True).start()
    while piece := line.recv(_PIECE):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return 0


def _speak(line: socket.socket) -> None:
    try:
        while piece := os.read(sys.stdin.fileno(), _PIECE):
            line.sendall(piece)
        line.shutdown(socket.SHUT_WR)
    except OSError:
        # The other side has gone; the reader notices and ends us.
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
