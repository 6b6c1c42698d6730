"""The kernels, also run with the JIT off and with bounds checks."""
