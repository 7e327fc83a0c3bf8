"""Errors that know their answer: each class is one refusal, with its HTTP status and a stable code."""

import re
from typing import ClassVar


class SepError(Exception):
    """The request can not be answered."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "sep_error"
    reason: ClassVar[int | None] = None
    """The `reasonCode` of the 2030.5 Error resource: 0 format, 1 values, 2 limit reached, 3 condition, 4 frequency."""

    alarm: tuple[str, str, str] | None = None
    """Code, subject and detail of an alarm that is raised although all that was asked for is undone."""

    def __init_subclass__(cls) -> None:
        """Name the refusal after its class, unless it says otherwise."""
        super().__init_subclass__()
        if "code" not in cls.__dict__:
            cls.code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(detail)

    def __str__(self) -> str:
        said = (type(self).__doc__ or self.code).strip().splitlines()[0]
        return f"{said.rstrip('.')}: {self.detail}" if self.detail else said


class BadRequest(SepError):
    """The request is malformed."""

    status = 400
    reason = 0


class BadValue(SepError):
    """A value is outside its bounds."""

    status = 400
    reason = 1


class Forbidden(SepError):
    """This certificate may not do that."""

    status = 403


class NotFound(SepError):
    """There is nothing here."""

    status = 404


class UnknownFeeder(NotFound):
    """No feeder of that name is known here."""


class Conflict(SepError):
    """That contradicts what is already here."""

    status = 409
    reason = 1
