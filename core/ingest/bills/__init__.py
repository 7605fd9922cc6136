"""Bills, spend logs and usage reports become cost lines."""
