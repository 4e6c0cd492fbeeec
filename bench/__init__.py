"""Measurements: latency, capacity, soak and recognition. See docs/benchmarks.md."""
