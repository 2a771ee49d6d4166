"""Training data: from labelled pictures to augmented batches on the device."""
