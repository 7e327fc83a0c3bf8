"""The result: limits per connection and interval, as data, with its tables, findings and curtailed energy."""

from envelope.schedule.adoption import settled_box, verified_box
from envelope.schedule.curtailment import Curtailment, Fairness
from envelope.schedule.device_limits import DeviceLimits, divide
from envelope.schedule.ledger import Ledger
from envelope.schedule.limits_file import read
from envelope.schedule.schedule import Binding, EnvelopeSchedule, Infeasibility, ScheduleSide

__all__ = [
    "Binding",
    "Curtailment",
    "DeviceLimits",
    "EnvelopeSchedule",
    "Fairness",
    "Infeasibility",
    "Ledger",
    "ScheduleSide",
    "divide",
    "read",
    "settled_box",
    "verified_box",
]
