"""Names of networks, apart from their configurations so that reading one imports nothing."""

# The network that commands and the Python interface use if none is named; its weights come with the
# package.
DEFAULT = "paper-256"
