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
