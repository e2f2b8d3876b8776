"""The REST addresses of organizations."""
