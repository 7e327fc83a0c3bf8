"""A simulated home with an inverter that obeys, on a clock that is moved by hand."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from certs.identity import Files
from certs.pki import Pki
from sep2.client import Client, Limits, Measured, Power, Rating, Session
from sep2.clock import SteppedClock

HOME_W, SUN_W = 600.0, 4000.0
STEP_S = 300


class Inverter:
    """Draws 600 W, could feed in 4 kW, and keeps to the limits that it is told."""

    rating = Rating(max_w=5000)

    def __init__(self) -> None:
        self.solar_w = SUN_W

    def apply(self, limits: Limits, now: int) -> None:
        bound = SUN_W if limits.export_limit_w is None else HOME_W + limits.export_limit_w
        self.solar_w = min(SUN_W, bound)

    def measure(self, now: int) -> Measured:
        return Measured(site=Power(HOME_W - self.solar_w, 0.0, 231.0), der=Power(self.solar_w))


class Home:
    """The client of the inverter, and the clock that it shares with the server."""

    def __init__(self, address: str, files: Files, pki: Pki, now: int) -> None:
        self.inverter, self.clock = Inverter(), SteppedClock(now)
        session = Session(address, files, pki.trust())
        self.client = Client(session, self.clock, lambda _: self.inverter, jitter=0.0)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Home":
        await self._stack.enter_async_context(self.client)
        await self.client.advance()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def live(self, steps: int, move: Callable[[int], Awaitable[None]]) -> None:
        """Let time pass by steps of five minutes; move: sets the server's clock and waits for its work."""
        for _ in range(steps):
            now = self.clock.now() + STEP_S
            await move(now)
            self.clock.advance(now)
            await self.client.advance()
