"""The one error that means: what the caller gave cannot be used; and other errors, told in one line."""


class InputError(ValueError):
    """An argument, file or setting that cannot be used.

    The message is one line that names what is wrong, what is allowed and, where there is one, the remedy. Jobs of the
    pipeline print it without a traceback.
    """


def one_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split())
