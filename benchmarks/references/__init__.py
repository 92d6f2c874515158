"""Servers to compare with: each does as little as its kind allows: what is above it is the price of a fake server."""
