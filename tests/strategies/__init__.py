"""Every Hypothesis strategy: what joins here inherits the laws."""
