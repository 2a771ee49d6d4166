"""From labelled pictures to batches on the device: sources, shards, sampling, augmentation."""
