"""What several routes of the operator API take: bounds in watts."""

from sep2.rest.types import Asked, Watts


class Limits(Asked, frozen=True, kw_only=True, omit_defaults=True):
    """Bounds in watts; what is left out is not bounded."""

    import_w: Watts | None = None
    export_w: Watts | None = None
    gen_w: Watts | None = None
    load_w: Watts | None = None
