"""Rates, times and memory on this machine: `make bench`. Nothing here asserts a speed."""
