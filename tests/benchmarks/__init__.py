"""tinygrad_sp beside hand-written NumPy and every other framework that happens to be installed.

`python -m tests.benchmarks` runs it.  A workload is written once, as a loss over a small adapter (`adapters/`), with
the same derivative worked out by hand in NumPy beside it (`workloads/`).  All frameworks must agree with the one
by hand before anything is timed; then they take turns, round by round, in one process (`measure`), so that a
machine that slows down slows all of them.  What comes out are ratios (`report`, `page`, `plot`).
"""
