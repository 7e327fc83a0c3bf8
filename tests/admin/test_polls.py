"""Long polls: many wait, all hear of news, and others are answered meanwhile."""

import asyncio

import pytest

from sep2.rest import polls
from sep2.rest.polls import Poll, Polls
from sep2.store.connection import Full, Unreachable
from tests.admin.conftest import TOKEN, Operator


async def _tag(operator: Operator, path: str) -> str:
    async with operator.http.get(path, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        return answer.headers["ETag"]


async def test_many_wait_and_all_hear_of_news(street: Operator) -> None:
    paths = ["/clients", "/devices", "/connections?limit=1", "/groups", "/alarms", "/audit"]
    tags = {path: await _tag(street, path) for path in paths}
    waiting = [
        asyncio.create_task(street.ask("GET", path, headers={"If-None-Match": tags[path], "Prefer": "wait=30"}))
        for path in paths
        for _ in range(15)
    ]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in waiting)
    await street.change("POST", "/clients", {"name": "Gale", "lfdi": "B" * 40})
    heard = [
        await task
        for path, task in zip([p for p in paths for _ in range(15)], waiting, strict=True)
        if path in ("/clients", "/audit")
    ]
    assert {status for status, _ in heard} == {200}
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_more_than_may_wait_are_told_to_come_again(street: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polls, "MOST", 2)
    tag = await _tag(street, "/groups")
    headers = {"If-None-Match": tag, "Prefer": "wait=1"}
    answers = await asyncio.gather(*(street.ask("GET", "/groups", headers=headers) for _ in range(4)))
    assert sorted(status for status, _ in answers) == [304, 304, 503, 503]


async def test_who_asks_the_same_shares_a_look_and_an_outage_is_waited_out() -> None:
    looks = 0

    async def look() -> bytes:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.02)
        if looks < 3:
            raise Unreachable if looks == 1 else Full
        return b"news"

    poll = Poll("same", look, is_news=lambda found: found == b"news", is_gone=lambda: False)
    shared = Polls()
    found = await asyncio.gather(*(shared.news(poll, 30) for _ in range(50)))
    assert found == [b"news"] * 50
    assert looks < 10


async def test_nobody_looks_for_a_caller_who_has_left() -> None:
    looks, gone = 0, False

    async def look() -> bytes:
        nonlocal looks, gone
        looks += 1
        gone = True
        return b"old"

    poll = Poll("same", look, is_news=lambda _: False, is_gone=lambda: gone)
    assert await Polls().news(poll, 30) is None
    assert looks == 1
