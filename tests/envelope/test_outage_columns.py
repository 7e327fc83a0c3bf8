"""Columns of the calendar of outages that nothing reads."""

import pytest

from envelope.operation.outage_calendar import BadCalendar, parsed, unused

ROW = "2026-05-29T06:00Z,2026-05-29T08:00Z,transformer:T1,poles"


def test_a_slip_of_a_column_is_refused_and_others_are_named():
    with pytest.raises(BadCalendar, match=r"a\.csv: column notes is not used: did you mean note"):
        parsed(f"start,end,what,notes\n{ROW}\n", "a.csv")
    text = f"start,end,what,note,crew\n{ROW},7\n"
    assert [one.note for one in parsed(text, "a.csv")] == ["poles"]
    assert unused(text, "a.csv") == "a.csv: not used: crew"
    assert unused(f"start,end,what,note\n{ROW}\n", "a.csv") == ""
