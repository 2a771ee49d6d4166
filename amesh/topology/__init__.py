"""Facts about landmark schemes: NumPy and JSON only."""

from amesh.topology.scheme import Iris, Region, Topology, load, parse, portable

__all__ = ["Iris", "Region", "Topology", "load", "parse", "portable"]
