"""What a document or an object can be refused for, with the place where it was noticed."""

from sep2.errors import SepError


class WireError(SepError):
    """The document does not follow the schema."""

    status = 400
    reason = 0

    def __str__(self) -> str:
        return self.detail or super().__str__()

    def under(self, name: str) -> "WireError":
        """The same refusal, seen from the element that holds it."""
        return type(self)(f"{name}: {self.detail}")


class WireValueError(WireError):
    """A value is outside its bounds."""

    reason = 1
