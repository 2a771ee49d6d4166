"""Readers of labelled pictures, one file per format."""
