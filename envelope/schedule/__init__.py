"""The result: limits per connection and interval, as data, with its tables, findings and curtailed energy."""

from envelope.schedule.adoption import verified_box
from envelope.schedule.curtailment import Fairness, Forgone
from envelope.schedule.device_limits import DeviceLimits, divide
from envelope.schedule.ledger import Ledger
from envelope.schedule.schedule import Binding, EnvelopeSchedule, Infeasibility

__all__ = [
    "Binding",
    "DeviceLimits",
    "EnvelopeSchedule",
    "Fairness",
    "Forgone",
    "Infeasibility",
    "Ledger",
    "divide",
    "verified_box",
]
