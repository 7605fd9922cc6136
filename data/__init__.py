"""What the product ships besides core: the demo world's generator (data.demo) and small dated facts (data/reference)."""
