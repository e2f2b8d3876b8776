"""The pages of accounts: setup, and everything under Settings that is one's own."""
