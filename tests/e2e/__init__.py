"""A person's journeys through the product, in a real browser."""
