"""`amesh label`: labels pictures and video with a network and writes training shards."""
