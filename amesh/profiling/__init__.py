"""Faces in profile, made from labelled pictures of faces that look ahead."""
