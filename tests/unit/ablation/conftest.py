"""Fixtures of faces to evaluate on; without the extra `train`, nothing is trained to compare."""

from importlib.util import find_spec

from evaluated_faces import label, pose, topology  # noqa: F401

if find_spec("pytorch_lightning") is None:
    collect_ignore_glob = ["test_*.py"]
