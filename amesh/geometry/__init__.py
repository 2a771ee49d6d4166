"""Pure tensor geometry. Every convention is stated where it holds and pinned by a test."""
