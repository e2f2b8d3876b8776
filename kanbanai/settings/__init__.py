"""Settings: `base` is production, `embedded` one machine alone; `dev` and `test` loosen them."""
