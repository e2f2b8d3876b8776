"""A living installation whose processes are killed at random while clients follow it."""
