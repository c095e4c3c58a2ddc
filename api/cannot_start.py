"""The one error that a person at a terminal is meant to read."""


class CannotStart(Exception):
    """A part can't run as asked. The message is one line: what is wrong, and what to do about it."""
