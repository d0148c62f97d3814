"""The one exception that the command line turns into a line for people."""


class UserError(ValueError):
    """Input that cannot be used: the message says what is wrong and what would be right."""
