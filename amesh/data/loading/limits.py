"""How large a picture may be; the command line reads it without importing decoders."""

MAX_PIXELS = 178_000_000  # Pillow refuses the header of a picture a little larger than this
