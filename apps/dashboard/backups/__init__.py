"""Backups of the whole server: made, kept, listed, and put back."""
