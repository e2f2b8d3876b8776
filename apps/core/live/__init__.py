"""Live delivery: from the journal to every socket and stream, in order and without gaps."""
