"""Fixtures of labelled pictures."""

from labelled_pictures import pose, record, source, topology  # noqa: F401
