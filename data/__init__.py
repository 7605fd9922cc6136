"""What the product ships besides code: the demo world's generator and small dated reference facts."""
