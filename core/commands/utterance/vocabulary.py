"""Lists of words, written as a line of text."""


def words_of(text: str) -> frozenset[str]:
    """The words of a line."""
    return frozenset(text.split())


def sayings(text: str) -> frozenset[str]:
    """The sayings of a line, which bars separate."""
    return frozenset(text.split("|"))
