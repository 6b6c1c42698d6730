"""Comparisons with other libraries; each module skips where its peer is absent."""
