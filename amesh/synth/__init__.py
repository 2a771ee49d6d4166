"""Synthetic faces: rendered from measured statistics of real ones, with exact landmarks."""
