"""Landmark schemes: indices, regions, contours, mirroring and the mean face."""

from amesh.topology.scheme import Iris, Region, Topology, load, parse, portable

__all__ = ["Iris", "Region", "Topology", "load", "parse", "portable"]
