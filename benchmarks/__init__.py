"""The numbers, made by one command: `python -m benchmarks server|client|fixture|contracts`.

Laws: a figure of the fake server is a ratio against a reference that was started in the same run, on the same core, in
turn with it; what is compared is CPU time per unit of work, the median of three turns. Figures that are times or sizes
by themselves say so. Nothing here is imported by the packages, and the packages know nothing of it.
"""
