"""Tables, pictures and the report of a deferral study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from envelope.planning.deferral_results import WITH, WITHOUT, Criterion, Deferral, DeferralPlan, Figures, ranked
from envelope.planning.economics import FORMULA
from envelope.planning.html_report import Picture, Report, Section, Table, figure_of, picture, quantity, write_csv

SHOWN, DRAWN = 30, 3
"""rows of a table, and transformers with pictures of their own"""
COLOURS = {WITHOUT: "#c0392b", WITH: "#1e8449"}


class Found(NamedTuple):
    """All that a deferral study found."""

    deferrals: Sequence[Deferral]
    figures: Sequence[Figures]
    plan: DeferralPlan
    said: Sequence[str]
    """assumptions, as sentences"""
    failed: Mapping[str, str]
    """feeders that could not be studied, and why"""


def write_deferral(found: Found, folder: Path) -> dict[str, str]:
    """Write transformers.csv, years.csv and report.html; returns their paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    order = ranked(found.deferrals)
    columns = ("rank", *Deferral._fields)
    ranks = write_csv(folder / "transformers.csv", columns, [(k, *one) for k, one in enumerate(order, start=1)])
    years = write_csv(folder / "years.csv", Figures._fields, found.figures)
    report = _report(found, order).write(folder / "report.html")
    return {"transformers": str(ranks), "years": str(years), "report": str(report)}


def _report(found: Found, order: Sequence[Deferral]) -> Report:
    units = {(one.feeder, one.transformer) for one in order}
    feeders = {one.feeder for one in order}
    sections = [
        Section("Which transformers first", _conclusion(order), pictures=_values(order), table=_ranking(order)),
        *_of_transformers(found, order),
        Section("What this rests on", points=[*_assumptions(found.plan), *found.said]),
        Section("Not studied", points=NOT_STUDIED),
    ]
    if found.failed:
        failed = Table(("feeder", "why"), list(found.failed.items()))
        sections.insert(1, Section("Feeders that could not be studied", table=failed))
    return Report(
        "Deferral of transformer replacements",
        f"{quantity(len(units), 'transformer')} of {quantity(len(feeders), 'feeder')}, {found.plan.years} years ahead,"
        f" {quantity(len(found.plan.cases), 'growth case')}.",
        _cards(found, order),
        sections,
    )


NOT_STUDIED = (
    "Other reasons to replace a transformer: its age, leaks, noise, theft of copper, safety.",
    "What running envelopes costs: communication, customers' contracts, operation.",
    "Cables and voltage: limits here keep the transformer; hours in which a cable or a voltage is still outside its"
    " limits are counted in years.csv. sep2 envelope run calculates limits that keep these too.",
    "Transformers above others, such as in substations: each one that supplies homes directly is studied by itself.",
)


def _cards(found: Found, order: Sequence[Deferral]) -> list[tuple[str, str]]:
    cards = []
    for case in found.plan.cases:
        own = [one for one in order if one.case == case.name]
        due = [one for one in own if one.first_without is not None]
        helped = [one for one in due if one.deferred_years > 0]
        value = sum(one.present_value for one in own)
        cards.append((f"{value:,.0f}", f"value today, growth {case.name}: {len(helped)} of {len(due)} deferred"))
    return cards


def _conclusion(order: Sequence[Deferral]) -> list[str]:
    best = next((one for one in order if one.present_value > 0.0), None)
    if best is None:
        return ["No replacement is deferred: none is due in the years looked ahead, or envelopes do not help."]
    more = "at least " if best.at_least else ""
    return [
        f"First: {best.transformer} of {best.feeder} with growth {best.case}. Its replacement is due in year"
        f" {best.first_without}; envelopes defer it by {more}{best.deferred_years} years, worth"
        f" {best.present_value:,.0f} today."
    ]


def _ranking(order: Sequence[Deferral]) -> Table:
    names = (
        "rank", "feeder", "transformer", "kVA", "homes", "growth", "due without", "due with", "years deferred",
        "value today", "firm relief, kW", "not served, kWh a year", "why",
    )  # fmt: skip
    rows = [
        (
            str(k), one.feeder, one.transformer, f"{one.kva:g}", str(one.homes), one.case, _year(one.first_without),
            _year(one.first_with), f"{'≥ ' if one.at_least else ''}{one.deferred_years}", f"{one.present_value:,.0f}",
            f"{one.firm_relief_kw:.1f}", f"{one.missing_kwh:,.0f}", one.why,
        )
        for k, one in enumerate(order[:SHOWN], start=1)
    ]  # fmt: skip
    return Table(names, rows, frozenset({0, 3, 4, 6, 7, 8, 9, 10, 11}))


def _year(year: int | None) -> str:
    return "–" if year is None else str(year)


def _values(order: Sequence[Deferral]) -> list[Picture]:
    """Present value of the transformers that rank first."""
    shown = [one for one in order if one.present_value > 0.0][:15][::-1]
    if not shown:
        return []
    figure = figure_of(9.0, 0.7 + 0.32 * len(shown))
    axes = figure.add_subplot()
    axes.barh(range(len(shown)), [one.present_value for one in shown], color=COLOURS[WITH])
    axes.set_yticks(range(len(shown)), [f"{one.transformer}, {one.case}" for one in shown], fontsize=9)
    axes.set_xlabel("value of the deferral today")
    axes.spines[["top", "right"]].set_visible(False)
    return [picture(figure, "Value today of the replacements that envelopes defer, the highest first.")]


def _of_transformers(found: Found, order: Sequence[Deferral]) -> list[Section]:
    names = list(dict.fromkeys((one.feeder, one.transformer) for one in order))[:DRAWN]
    return [_of_transformer(found, *name) for name in names]


def _of_transformer(found: Found, feeder: str, transformer: str) -> Section:
    """One transformer's years: peak and hot spot, and its figures in the year of decision."""
    rows = [one for one in found.figures if (one.feeder, one.transformer) == (feeder, transformer)]
    last = {(one.case, one.envelopes): one for one in rows}
    columns = (
        "growth", "envelopes", "year", "load P50 %", "load P95 %", "peak %", "hours over", "longest, h", "hot spot, C",
        "life, years", "shifted, kWh", "not served, kWh", "cars short", "voltage outside, h", "cable over, h",
    )  # fmt: skip
    own = [one for one in found.deferrals if (one.feeder, one.transformer) == (feeder, transformer)]
    decided = {one.case: one.firm_year for one in own}
    table = [
        _figure_cells(one) for one in rows if one.year in (0, decided.get(one.case), last[one.case, one.envelopes].year)
    ]
    caption = "Highest load of the year over the rating, and hottest winding. The line is the rating."
    return Section(
        f"Transformer {transformer} of {feeder}",
        (f"{rows[0].kva:g} kVA, {rows[0].homes} homes. Energies and hours are per year.",),
        pictures=[picture(_years_figure(rows), caption)],
        table=Table(columns, table, frozenset(range(2, len(columns)))),
    )


def _figure_cells(one: Figures) -> tuple[str, ...]:
    return (
        one.case, one.envelopes, str(one.year), f"{one.load_p50_percent:.0f}", f"{one.load_p95_percent:.0f}",
        f"{one.peak_percent:.0f}", f"{one.hours_over:,.0f}", f"{one.longest_over_h:g}", f"{one.hot_spot_c:.0f}",
        f"{one.life_years:.0f}", f"{one.shifted_kwh:,.0f}", f"{one.missing_kwh:,.0f}", str(one.cars_short),
        f"{one.voltage_hours:,.0f}", f"{one.line_hours:,.0f}",
    )  # fmt: skip


def _years_figure(rows: Sequence[Figures]) -> object:
    cases = list(dict.fromkeys(one.case for one in rows))
    figure = figure_of(10.0, 5.2)
    grid = figure.subplots(2, len(cases), sharex=True, sharey="row", squeeze=False)
    for column, case in enumerate(cases):
        for envelopes in (WITHOUT, WITH):
            own = [one for one in rows if one.case == case and one.envelopes == envelopes]
            years, style = [one.year for one in own], {"color": COLOURS[envelopes], "marker": ".", "label": envelopes}
            grid[0, column].plot(years, [one.peak_percent for one in own], **style)
            grid[1, column].plot(years, [one.hot_spot_c for one in own], **style)
        grid[0, column].axhline(100.0, color="#566573", linewidth=0.8)
        grid[0, column].set_title(f"growth {case}")
        grid[1, column].set_xlabel("year")
    grid[0, 0].set_ylabel("peak load, %")
    grid[1, 0].set_ylabel("hot spot, C")
    grid[0, 0].legend(title="envelopes", fontsize=9)
    return figure


def _assumptions(plan: DeferralPlan) -> list[str]:
    economics = plan.economics
    rule = (
        f"load above its rating, on the most loaded phase, for more than {plan.hours_over:g} hours a year"
        if plan.criterion is Criterion.RATING
        else "hot spot, top oil, ageing or load beyond the thermal policy (IEEE C57.91, assumed parameters)"
    )
    cases = (
        f"{one.name}: demand {one.load_percent:+g} %, cars at {one.cars_percent:g} % and new solar generation at"
        f" {one.solar_percent:g} % of the homes more each year"
        for one in plan.cases
    )
    return [
        f"A replacement is due in the first year with {rule}.",
        f"With envelopes it is due, too, when more than {100 * plan.unserved:g} % of the cars' energy is missing at"
        " departure.",
        f"Value: {FORMULA}, with C {economics.cost:,.0f} per transformer unless given, inflation i"
        f" {economics.inflation:.1%}, discount rate r {economics.discount:.1%}, n years deferred; value today is that"
        " times ((1 + i) / (1 + r)) to the power of the years until it is due. What envelopes cost is not subtracted.",
        f"Growth cases: {'; '.join(cases)}.",
        f"Assumed: a home's car charges on {plan.charges:.0%} of the days at up to 7 kW, arrives between 15:30 and"
        " 22:00 or waits for 23:00, leaves by 8:00, as in the demonstration; new solar generation is"
        f" {plan.solar_w / 1e3:g} kW a home.",
        "Homes that keep their limits charge up to one common level, within what the phases of the transformer have"
        " left; losses and voltage drop are those of the AC power flow, in which the result is looked at again.",
        "Firm relief: kW by which the highest load can be lowered with 95 % confidence, over 200 draws of which homes"
        " keep their limits.",
        "Life: 180,000 h at a 110 C hot spot, aged step by step; more than 200 years is shown as 200.",
    ]
