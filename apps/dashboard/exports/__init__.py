"""Projects and organizations as documents: what is in them, writing them, reading them back."""
