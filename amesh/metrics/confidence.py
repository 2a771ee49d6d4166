"""How confidence intervals are made unless a caller says otherwise."""

# Bootstrap resamples, and the share of them that an interval covers.
RESAMPLES = 2000
LEVEL = 0.95
