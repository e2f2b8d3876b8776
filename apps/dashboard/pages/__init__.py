"""Pages: mission control and the inbox."""
