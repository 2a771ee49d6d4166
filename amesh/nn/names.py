"""Names of networks, separate from their configurations so that importing them is free."""

# The default network of commands and the Python interface; its weights come with the package.
DEFAULT = "paper-256"
