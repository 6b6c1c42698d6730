"""Every kernel beside its rivals: `python -m benchmarks.kernels`."""
