"""Taken out of `elsehu.toml`, the plugin is missed by nobody; put back, its campaigns go on where they were."""

from elsehu.testing import Settings
from elsehu.testing.client import log_in_as
from elsehu.testing.serving import running_web

from .world import World, done, people, served_by_two


async def test_taken_out_and_put_back(settings: Settings) -> None:
    phones = people(4)
    async with running_web(settings) as server, log_in_as(server, "ADMIN") as admin:
        world = World(server, admin)
        number = await world.number()
        async with served_by_two(server.kernel):
            campaign = await world.started(number, people=phones, dailyLimit=2)
            await world.when(campaign, lambda shown: shown["holdReason"] and shown["stats"]["sent"] == 2)
    without = settings.model_copy(update={"plugins": {"enabled": ["sandbox", "storage_local"]}})
    async with running_web(without) as server, log_in_as(server, "ADMIN") as admin:
        assert (await admin.get("/api/campaigns")).status_code == 404
        assert (await admin.get("/health")).status_code == 200
        for contact in done(await admin.get("/api/contacts"))["items"]:
            assert (await admin.delete(f"/api/contacts/{contact['id']}")).status_code < 300
            done(await admin.post("/api/contacts", {"name": "Ana", "phone": contact["phone"]}))
    async with running_web(settings) as server, log_in_as(server, "ADMIN") as admin:
        world = World(server, admin)
        assert (await world.show(campaign))["stats"]["planned"] == 2
        await world.do(campaign, "pause")
        done(await admin.patch(f"/api/campaigns/{campaign}", {"dailyLimit": None}))
        await world.do(campaign, "resume")
        async with served_by_two(server.kernel):
            assert (await world.over(campaign))["stats"]["sent"] == 4
        assert sorted(await world.phones_reached(number)) == sorted(phones)
