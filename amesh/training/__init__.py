"""Training: Lightning around the networks of `amesh.nn`. The only layer that imports Lightning."""
