"""What a reader sees in a real browser over the real process."""
