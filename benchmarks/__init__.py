"""What Kith costs, and what others cost for the same answers: `python -m benchmarks`."""
