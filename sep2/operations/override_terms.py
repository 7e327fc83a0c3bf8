"""What the utility's settings say of overrides."""

from sep2.operations.overrides import Terms
from sep2.rules.authority import Primacies
from sep2.settings import Utility


def terms_by(utility: Utility) -> Terms:
    """The terms of every override."""
    return Terms(
        most_ahead=utility.horizon_events,
        longest_s=utility.overrides.longest_s,
        spread_s=utility.overrides.spread_s,
        primacies=primacies_by(utility),
        response_required=utility.response_required,
    )


def primacies_by(utility: Utility) -> Primacies:
    """The primacies that programs of places get."""
    ranks = utility.primacy
    return Primacies(ranks.override, ranks.wide_override, ranks.schedule, ranks.connection)
