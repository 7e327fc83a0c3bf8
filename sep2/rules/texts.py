"""Texts that clients are sent: what people type is held to what the wire can carry before it is stored."""

from sep2.wire.values import NOT_XML


def misfit(text: str, most: int) -> str | None:
    """Why a string type of at most so many octets can not carry this text; None where it can."""
    if NOT_XML(text):
        return "has a character that XML does not know"
    return f"is longer than {most} octets" if len(text.encode()) > most else None
