"""Synthetic faces: measured statistics of real ones, rendered with exact landmarks."""
