"""Content negotiation (2030.5 5.7): XML is what this server speaks."""

from sep2.errors import SepError

XML = "application/sep+xml"
_ACCEPTED = ("application/sep+xml", "application/*", "*/*")
_TAKEN = ("application/sep+xml",)


class NotAcceptable(SepError):
    """Representations are given as application/sep+xml."""

    status = 406


class UnsupportedMedia(SepError):
    """Representations are taken as application/sep+xml."""

    status = 415


def check_accept(header: str | None) -> None:
    """Refuse a client that excludes XML; levels are no matter, the client's stored profile decides."""
    if header is None or not header.strip():
        return
    for said in header.split(","):
        kind, *parameters = (part.strip().lower() for part in said.split(";"))
        if kind in _ACCEPTED and not any(_is_zero(parameter) for parameter in parameters):
            return
    raise NotAcceptable(header[:80])


def refuses_extensions(header: str | None) -> bool:
    """Whether every XML that the client accepts is of level -S1, the base schema without extensions."""
    said = [part.replace(" ", "").lower() for part in (header or "").split(",")]
    return bool(said) and all("level=-s1" in part for part in said)


def check_content_type(header: str | None) -> None:
    """Refuse a body that is said to be something else than XML."""
    if header is None or header.split(";")[0].strip().lower() not in _TAKEN:
        raise UnsupportedMedia((header or "none")[:80])


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip() in ("0", "0.0", "0.00", "0.000")
