"""The REST addresses of accounts."""
