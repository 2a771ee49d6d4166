"""The exception for users' mistakes, and what messages have in common."""


class UserError(ValueError):
    """A user's mistake, in one line that says what was wrong, where, and what to do.

    The command line prints the message without a traceback and exits with 2.
    """


def how_to_install(extra: str) -> str:
    """How to install an optional part of amesh, for the end of a message.

    From a clone, never by name: `amesh` on PyPI is an unrelated project.

    Args:
        extra: Its name in pyproject.toml, such as `video`.
    """
    return f"run pip install -c constraints.txt '.[{extra}]' in a clone of amesh"


def reason_of(error: Exception) -> str:
    """Why something failed that an operating system or a library did, in one line for a message.

    Examples:
        >>> reason_of(FileNotFoundError(2, "No such file or directory"))
        'No such file or directory'
        >>> reason_of(ValueError("cut   short"))
        'cut short'
        >>> reason_of(ValueError())
        'ValueError'
    """
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split()) or type(error).__name__
