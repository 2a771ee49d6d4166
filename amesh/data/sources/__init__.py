"""One file per format of labelled pictures."""
