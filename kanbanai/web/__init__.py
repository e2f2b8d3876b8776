"""The web process: sockets and streams on the event loop, everything else in kept threads."""
