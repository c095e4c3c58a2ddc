"""The whole system under load for long: what its memory, its files and its tasks come to."""
