"""Benchmarks: figures stand beside a floor or a peer that was measured in the same run; see docs/benchmarks.md."""
