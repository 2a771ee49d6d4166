"""`amesh label`: pictures and video to training shards, labelled by a network."""
