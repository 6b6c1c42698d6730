"""The compiled loops, and the only place that knows Numba.

Each file holds the meaning of a kernel in plain NumPy (`thing_reference`) directly above the kernel itself (`thing`).
Arguments are arrays and numbers; their agreement is the caller's duty, save for the bound that keeps int32 exact.
"""
