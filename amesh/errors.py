"""The exception for users' mistakes."""


class UserError(ValueError):
    """A user's mistake, in one line that says what was wrong, where, and what to do.

    The command line prints the message without a traceback and exits with 2.
    """
