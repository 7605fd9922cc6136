"""Tables of columns of our own, which people write or fill by a script."""
