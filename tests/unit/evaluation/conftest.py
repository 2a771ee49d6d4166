"""Fixtures of faces to evaluate on."""

from evaluated_faces import label, pose, topology  # noqa: F401
