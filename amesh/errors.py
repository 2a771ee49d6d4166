"""The one exception that speaks to a user."""


class UserError(ValueError):
    """A mistake outside the program: one line that says what was wrong, where, and what to do.

    The command line prints the message and exits with 2; it never shows a traceback for it.
    """
