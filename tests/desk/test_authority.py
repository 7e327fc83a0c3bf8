"""Second persons, protected connections and the backstop on the desk, in a real browser."""

from tests.admin.test_authority import strict
from tests.desk.conftest import PASSWORD, Room


async def test_what_needs_a_second_person_waits_until_another_one_agrees_to_what_they_see(room: Room) -> None:
    strict(room.operator)
    await room.operator.change("POST", "/operators", {"name": "Ada", "role": "operator", "password": PASSWORD})
    async with room.sight() as asker, room.sight(name="Ada") as other:
        await asker.go("/desk/override?scope=connection&subject=NMI1&export=0.5&minutes=360&reason=overload")
        assert "waits for a second person: it lasts 6 h" in await asker.text(".sheet")
        await asker.page.click("text=Ask a second person")
        await asker.page.wait_for_url("**/desk/approval?id=1")
        assert "Another person has to agree" in await asker.text()
        assert await asker.page.locator("button:text-is('Agree')").count() == 0
        await other.go("/desk/approvals")
        await other.page.click("text=Request 1")
        await other.page.wait_for_selector("text=What it would do now")
        assert "export ≤ 500 W" in await other.text(".sheet")
        await other.page.click(".send")
        await other.page.wait_for_url("**/desk/overrides")
        assert "local and Ada" in await other.text("table")
        (sent,) = (await room.operator.get("/overrides"))["items"]
        assert (sent["operator"], sent["second"]) == ("local", "Ada")
        assert not asker.wrong
        assert not other.wrong


async def test_a_draft_is_kept_and_sent_from_the_list(room: Room) -> None:
    async with room.sight() as sight:
        await sight.go("/desk/override?scope=connection&subject=NMI1&export=0.5&minutes=60&reason=overload")
        await sight.page.click("text=Keep as draft")
        await sight.page.wait_for_url("**/desk/approval?id=1")
        assert not (await room.operator.get("/overrides"))["items"]
        await sight.page.click("text=Send the draft")
        await sight.page.wait_for_url("**/desk/overrides")
        assert len((await room.operator.get("/overrides"))["items"]) == 1
        assert not sight.wrong


async def test_who_is_protected_is_named_as_left_out_of_a_limit_of_import(room: Room) -> None:
    await room.operator.change("PUT", "/connections/NMI1", {"protected": "life_support"})
    async with room.sight() as sight:
        await sight.go("/desk/override?scope=system&import=0.4&minutes=60&reason=overload")
        sheet = await sight.text(".sheet")
        assert "NMI1 (life support)" in sheet
        await sight.go("/desk/override?scope=system&import=0.4&minutes=60&reason=overload&also=NMI1")
        assert "waits for a second person: NMI1 is protected, and named" in await sight.text(".sheet")
        assert not sight.wrong


async def test_the_backstop_is_prepared_rehearsed_and_followed(room: Room) -> None:
    async with room.sight() as sight:
        await sight.go("/desk/backstop")
        await sight.page.click("button:text-is('Prepare')")
        await sight.page.wait_for_selector("td:text('yes')")
        await sight.page.select_option("#what", "test")
        await sight.page.fill("#minutes", "10")
        await sight.page.fill("#share", "50")
        await sight.page.click("text=Show what it would do")
        await sight.page.wait_for_selector(".sheet")
        assert "not needed" in await sight.text(".sheet")
        await sight.page.click("text=Start the rehearsal")
        await sight.page.wait_for_url("**/desk/overrides")
        assert "drill of system" in await sight.text("table")
        await sight.go("/desk/progress?id=latest")
        assert "said nothing" in await sight.text()
        await sight.go("/desk/backstop?what=start&kind=export&minutes=60")
        assert "An override has a reason out of a list" in await sight.text("[role=alert]")
        assert not sight.wrong
