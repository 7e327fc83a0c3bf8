"""Messages for the utility's ADMS, as the operator API answers them."""

from typing import Annotated

from msgspec import Meta

from sep2.rest.types import Asked, Document


class CimSpan(Asked, frozen=True, kw_only=True):
    """How far ahead, and in which steps (s)."""

    hours: Annotated[int, Meta(ge=1, le=48)] = 24
    step: Annotated[int, Meta(ge=60, le=3600)] = 900


class CimMessage(Document, frozen=True, kw_only=True):
    """A message in a group profile of IEC 61968-5: within JSON, or alone where `Accept` is `application/xml`."""
