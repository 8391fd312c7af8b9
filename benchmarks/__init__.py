"""Measurements of feedsvc: `make bench`, or `python -m benchmarks --help`."""
