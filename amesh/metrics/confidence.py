"""Default settings of confidence intervals."""

# Number of bootstrap resamples, and the share of them inside an interval.
RESAMPLES = 2000
LEVEL = 0.95
