"""The one exception that a user is meant to read."""


class KithError(Exception):
    """Something the user can mend: the message names the file, row and field, and says what to do.

    Stages print the message without a traceback and exit with status 1.
    """
