"""A claim of speed is a program: the benchmarks, the peers they run beside, and their results."""
