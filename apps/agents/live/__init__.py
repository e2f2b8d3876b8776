"""The live board: a WebSocket with commands, and a stream of server-sent events."""
