"""Bytes, time and sockets: the only room with I/O. It plays what the other rooms decided, and remembers it."""
