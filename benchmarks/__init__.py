"""Timings of nncomp beside other libraries; each module runs on its own: `python -m benchmarks.training`."""
