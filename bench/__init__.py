"""Benchmarks: what a reduction costs, stage by stage, in one run on one machine."""
