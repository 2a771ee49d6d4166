"""Tests of training are skipped where the extra `train` is not installed."""

from importlib.util import find_spec

if find_spec("pytorch_lightning") is None:
    collect_ignore_glob = ["test_*.py"]
