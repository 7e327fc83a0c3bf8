"""What several handlers of the market API need, and operators' of the same: who writes, a market's rules, names."""

from sep2.errors import NotFound
from sep2.operations.market import entries
from sep2.partner.access import party_of
from sep2.rest.route import Request
from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.profiles import read_profile
from sep2.store.market.facts import Written


def written(rq: Request, start: int | None = None) -> Written:
    """Who writes, now; and from when on it holds."""
    return Written(rq.operator, rq.now, rq.now if start is None else start)


def profile_named(rq: Request, name: str) -> MarketProfile:
    """A market's rules by their name."""
    return read_profile(name, rq.state.settings.market.profiles)


async def refuse_known(rq: Request, noun: str) -> None:
    """A name that another party's entry has, or an own one at another time, is no new one."""
    name = rq.ids[noun]
    try:
        known = await entries.identity(rq.db, noun, name)
    except NotFound:
        return
    if known.party_id != party_of(rq).party_id:
        raise entries.UNKNOWN[noun](name[:80])
    raise entries.NotThen(known.name)
