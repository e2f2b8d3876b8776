"""The live dashboard: a WebSocket and a stream of server-sent events."""
