"""What makes a job in the foreground give up: only what a person must mend, and only if all of it needs that."""

from datetime import timedelta
from pathlib import Path

from servers.gemini import GeminiServer
from workshop import NANO_BANANA, Workshop, opened, settings_for

from engine.commands.progress import obstacles
from engine.store import Gate


async def close(shop: Workshop, kind: str, provider: str = NANO_BANANA[0], model_id: str = NANO_BANANA[1]) -> None:
    until = shop.clock() + timedelta(hours=1)
    await shop.engine.store.gates.close(Gate(provider, model_id, until, kind, "It is so.", "Mend it."))


async def found(shop: Workshop, job_id: str) -> list[str]:
    return await obstacles(shop.engine, await shop.engine.store.jobs.get(job_id))


async def test_a_job_is_stuck_when_a_person_must_mend_its_model(tmp_path: Path, server: GeminiServer) -> None:
    async with opened(settings_for(tmp_path, server.url), tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"))
        assert await found(shop, job_id) == []
        await close(shop, "minute")
        assert await found(shop, job_id) == []  # it will open by itself
        shop.clock.skip(hours=2)
        await close(shop, "misconfigured")
        assert await found(shop, job_id) == ["nano_banana: It is so. Mend it."]


async def test_the_trouble_of_one_model_is_not_that_of_another(tmp_path: Path, server: GeminiServer) -> None:
    async with opened(settings_for(tmp_path, server.url), tmp_path) as shop:
        await close(shop, "gone", model_id="gemini-3-pro-image")
        job_id = await shop.job(shop.photo("a.jpg"))
        assert await found(shop, job_id) == []


async def test_a_job_goes_on_while_any_of_its_models_works(tmp_path: Path, server: GeminiServer) -> None:
    async with opened(settings_for(tmp_path, server.url), tmp_path) as shop:
        await close(shop, "gone")
        inputs = [shop.photo("a.jpg"), shop.photo("b.jpg")]
        job = await shop.engine.intake.open(shop.new_job())
        for path, model in zip(inputs, ("nano_banana", "local"), strict=True):
            await shop.engine.intake.add(job.id, [shop.new_image(path, model=model)])
        assert await found(shop, job.id) == []
        ids = [image.id for image in await shop.images(job.id) if image.model == "local"]
        await shop.engine.intake.cancel(job.id, image_ids=ids)
        assert await found(shop, job.id) == ["nano_banana: It is so. Mend it."]


async def test_a_model_that_left_the_settings_is_an_obstacle(tmp_path: Path, server: GeminiServer) -> None:
    own = settings_for(tmp_path, server.url, models={"mine": {"provider": "gemini", "id": "gemini-3-pro-image"}})
    async with opened(own, tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"), model="mine")
    async with opened(settings_for(tmp_path, server.url), tmp_path) as shop:
        (told,) = await found(shop, job_id)
        assert told.startswith('The model "mine" is not in the settings any more.')
