"""The ceiling: a loop that writes each line, framed once, to every connection; nothing else."""

from __future__ import annotations

import json
import selectors
import socket
import sys

HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def main() -> None:
    """This will serve until its parent closes the control connection."""
    listener = _listener()
    control_listener = _listener()
    ports = {"port": listener.getsockname()[1], "control": control_listener.getsockname()[1]}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    control, _peer = control_listener.accept()
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(control, selectors.EVENT_READ)
    clients: list[socket.socket] = []
    left = b""
    while True:
        for key, _events in selector.select():
            if key.fileobj is listener:
                clients.append(_accept(listener))
                continue
            data = control.recv(1 << 20)
            if not data:
                return
            *lines, left = (left + data).split(b"\n")
            for line in lines:
                frame = b"\x81\x7e" + len(line).to_bytes(2, "big") + line
                for client in clients:
                    client.sendall(frame)


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    return listener


def _accept(listener: socket.socket) -> socket.socket:
    client, _peer = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.recv(65_536)
    client.sendall(HANDSHAKE)
    return client


if __name__ == "__main__":
    main()
