"""REST: mission control."""
