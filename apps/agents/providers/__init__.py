"""Model providers: what is known of each, and the ways to ask them. No table is known here."""
