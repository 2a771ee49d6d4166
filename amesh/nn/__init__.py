"""The networks: pure PyTorch, no training code."""
