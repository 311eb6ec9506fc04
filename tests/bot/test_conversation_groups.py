"""The bot among people: it takes what is meant for it, answers where it was asked, and leaves everything else alone."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from conversation import ANNA, BEN, OWNER, heard, kept, said, sent, talking
from hot_folder import photo
from servers.telegram import TelegramServer
from servers.telegram_chats import Chat, Message

from bot.errand import errand_of
from engine.app import Engine
from engine.job import Image
from engine.store import key_of

FAMILY, FORUM = -100, -1000000000200
ME = "@lightwork_test_bot"
STRANGER = 666


def kitchen(server: TelegramServer) -> Chat:
    """A group with Anna and Ben in which the bot sees everything that is written."""
    anna, ben = server.user(ANNA), server.user(BEN, name="Ben")
    return server.group(FAMILY, anna, ben, privacy=False)


def forum(server: TelegramServer) -> tuple[Chat, int]:
    """A group with topics, and one of them."""
    anna = server.user(ANNA)
    group = server.group(FORUM, anna, privacy=False, forum=True)
    return group, anna.opens_topic(group, "Cakes")


async def dealt_with(server: TelegramServer, chat: Chat) -> None:
    """Wait until the bot has dealt with everything so far: one update after the other, in each chat in turn."""
    owner = server.people.get(OWNER) or server.user(OWNER)
    before = len(said(server, chat.id, "Your number: 1\n"))
    owner.writes("/id", chat=chat)
    await server.until(lambda: len(said(server, chat.id, "Your number: 1\n")) > before)


async def images_of_newest(engine: Engine) -> Sequence[Image]:
    job = (await engine.store.jobs.list())[0]
    return await engine.store.images.of_job(job.id)


async def content(engine: Engine, image: Image) -> bytes | None:
    """The photo that an image is made from."""
    key = key_of(image.inputs[0].path)
    assert key
    return await engine.store.blobs.get(key)


async def wish_of_newest(engine: Engine) -> str:
    """The prompt that a draft has so far."""
    return errand_of((await engine.store.jobs.list())[0]).wish.prompt


def answers(chat: Chat) -> list[Message]:
    """What the bot has said but for what it was asked by `dealt_with`."""
    return [message for message in chat.messages if not message.text.startswith("Your number: 1\n")]


# What is meant for the bot


@pytest.mark.parametrize("name", [ME, ME.upper(), "@LightWork_Test_Bot"])
async def test_a_photo_with_the_bots_name_is_edited_and_the_name_is_no_part_of_the_prompt(
    telegram: TelegramServer, tmp_path: Path, name: str
) -> None:
    group = kitchen(telegram)
    async with talking(tmp_path, telegram) as engine:
        message = telegram.people[ANNA].sends_photo(photo(1), caption=f"Warmer, {name} please.", chat=group)
        done = await heard(telegram, FAMILY, "Done.")
        (image,) = await images_of_newest(engine)
        assert "lightwork" not in image.final_prompt.casefold()
        assert image.final_prompt.endswith("please.")
        assert group.reactions[message.id] == ["👀"]
        assert done.reply_to is sent(telegram, FAMILY, "photo")[0].reply_to is message


async def test_what_is_not_meant_for_the_bot_gets_not_even_a_reaction(telegram: TelegramServer, tmp_path: Path) -> None:
    group = kitchen(telegram)
    anna = telegram.people[ANNA]
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption="My cake!", chat=group)
        anna.sends_document(photo(2), caption="My cake, in full.", chat=group)
        anna.sends_document(b"%PDF-1.4", name="recipe.pdf", chat=group)
        cake = anna.sends_photo(photo(3), chat=group)
        anna.writes("Looks nice, warmer than mine.", reply_to=cake, chat=group)
        await dealt_with(telegram, group)
        assert (answers(group), dict(group.reactions)) == ([], {})
        assert await engine.store.jobs.list() == []
    assert telegram.called("getFile") == []


@pytest.mark.parametrize("captions", [(), ("My cakes!",), ("One.", "Two.")])
async def test_an_album_that_is_not_meant_for_the_bot_is_left_alone(
    telegram: TelegramServer, tmp_path: Path, captions: tuple[str, ...]
) -> None:
    group = kitchen(telegram)
    anna, ben = telegram.people[ANNA], telegram.people[BEN]
    async with talking(tmp_path, telegram):
        album = await anna.sends_album([photo(1), photo(2)], caption=captions, chat=group)
        bens = ben.sends_photo(photo(3), caption=f"{ME} Warmer.", chat=group)
        await heard(telegram, FAMILY, "Done.")
        await dealt_with(telegram, group)
        assert {message.reply_to for message in answers(group)} == {bens}
        assert not any(message.id in group.reactions for message in album)
        assert len(telegram.called("getFile")) == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (0, 2, 1)])
async def test_an_album_of_which_one_item_names_the_bot_is_taken_whole_whatever_its_order(
    telegram: TelegramServer, tmp_path: Path, order: tuple[int, ...]
) -> None:
    group = kitchen(telegram)
    async with talking(tmp_path, telegram) as engine:
        album = await telegram.people[ANNA].sends_album(
            [photo(1), photo(2), photo(3)], caption=("", f"{ME} Warmer."), order=order, chat=group
        )
        await heard(telegram, FAMILY, "Done: all 3.")
        assert [image.prompt for image in await images_of_newest(engine)] == ["Warmer."] * 3
        assert any(group.reactions.get(message.id) == ["👀"] for message in album), "it was seen, and says so"


async def test_an_album_that_only_names_the_bot_becomes_a_draft(telegram: TelegramServer, tmp_path: Path) -> None:
    group = kitchen(telegram)
    async with talking(tmp_path, telegram):
        await telegram.people[ANNA].sends_album([photo(1), photo(2)], caption=ME, chat=group)
        draft = await heard(telegram, FAMILY, "Photos: 2.")
        assert "Write me what you want" in draft.text


async def test_a_photo_that_replies_to_the_bot_is_meant_for_it(telegram: TelegramServer, tmp_path: Path) -> None:
    group = kitchen(telegram)
    anna = telegram.people[ANNA]
    async with talking(tmp_path, telegram):
        anna.writes(f"/help{ME}", chat=group)
        help_ = await heard(telegram, FAMILY, "Send photos with a caption")
        anna.sends_photo(photo(1), caption="Warmer.", reply_to=help_, chat=group)
        await heard(telegram, FAMILY, "Done.")


async def test_words_that_name_the_bot_below_somebody_elses_photo_edit_that_photo(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    group = kitchen(telegram)
    anna, ben = telegram.people[ANNA], telegram.people[BEN]
    async with talking(tmp_path, telegram) as engine:
        picture = ben.sends_photo(photo(3, (300, 200)), caption="Our garden.", chat=group)
        wish = anna.writes(f"{ME} Make it blue.", reply_to=picture, chat=group)
        done = await heard(telegram, FAMILY, "Done.")
        (image,) = await images_of_newest(engine)
        assert image.prompt == "Make it blue."
        assert await content(engine, image) == picture.data
        assert done.reply_to is wish
        (job,) = await engine.store.jobs.list()
        assert job.owner == f"chat:{FAMILY}:{ANNA}"


async def test_the_bots_name_alone_below_a_photo_asks_what_to_do_with_it(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    group = kitchen(telegram)
    async with talking(tmp_path, telegram):
        picture = telegram.people[BEN].sends_photo(photo(3), chat=group)
        telegram.people[ANNA].writes(ME, reply_to=picture, chat=group)
        await heard(telegram, FAMILY, "Photos: 1.", within=5)


@pytest.mark.parametrize("name", [f"{ME}2", f"{ME}_two", f"{ME}any"])
async def test_a_bot_with_a_longer_name_is_another_bot(telegram: TelegramServer, tmp_path: Path, name: str) -> None:
    group = kitchen(telegram)
    async with talking(tmp_path, telegram):
        telegram.people[ANNA].sends_photo(photo(1), caption=f"{name} Warmer.", chat=group)
        bens = telegram.people[BEN].sends_photo(photo(3), caption=f"{ME} Warmer.", chat=group)
        await heard(telegram, FAMILY, "Done.")
        await dealt_with(telegram, group)
        assert {message.reply_to for message in answers(group)} == {bens}


# Everybody in an allowed group


async def test_in_an_allowed_group_everybody_may_and_needs_not_name_the_bot(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    stranger = telegram.user(STRANGER)
    group = telegram.group(FAMILY, stranger, privacy=False)
    async with talking(tmp_path, telegram, telegram={"allowed_chats": [FAMILY]}):
        stranger.writes("Good morning!", chat=group)
        stranger.sends_photo(photo(1), caption="Warmer.", chat=group)
        await heard(telegram, FAMILY, "Done.")
        stranger.sends_photo(photo(1), caption="Warmer.")
        await heard(telegram, STRANGER, "This bot is private.")
        assert said(telegram, FAMILY, "This bot") == []
        assert len(sent(telegram, FAMILY, "photo")) == 1
    assert len(telegram.called("getFile")) == 1


# Talk is no prompt


async def test_what_people_say_to_each_other_is_no_prompt(telegram: TelegramServer, tmp_path: Path) -> None:
    group = kitchen(telegram)
    anna, ben = telegram.people[ANNA], telegram.people[BEN]
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption=ME, chat=group)
        draft = await heard(telegram, FAMILY, "Photos: 1.")
        await kept(engine, draft)
        anna.writes("Lunch at noon?", chat=group)
        question = ben.writes("Pizza?", chat=group)
        anna.writes("Yes, two of them.", reply_to=question, chat=group)
        await dealt_with(telegram, group)
        assert await wish_of_newest(engine) == ""
        anna.writes(f"{ME} Snow on everything.", chat=group)
        await telegram.until(lambda: "Your wish: Snow on everything." in draft.text)


async def test_the_bots_name_alone_takes_no_prompt_away(telegram: TelegramServer, tmp_path: Path) -> None:
    group = kitchen(telegram)
    anna = telegram.people[ANNA]
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption=ME, chat=group)
        draft = await heard(telegram, FAMILY, "Photos: 1.")
        await kept(engine, draft)
        anna.writes(f"{ME} Snow on everything.", chat=group)
        await telegram.until(lambda: "Your wish: Snow on everything." in draft.text)
        anna.writes(ME, chat=group)
        await dealt_with(telegram, group)
        assert await wish_of_newest(engine) == "Snow on everything."


# Commands


async def test_commands_for_other_bots_are_ignored(telegram: TelegramServer, tmp_path: Path) -> None:
    group = kitchen(telegram)
    anna = telegram.people[ANNA]
    async with talking(tmp_path, telegram):
        anna.writes("/help@OtherBot", chat=group)
        anna.writes("/id@OtherBot", chat=group)
        await dealt_with(telegram, group)
        assert answers(group) == []
        anna.writes("/id@LightWork_Test_Bot", chat=group)
        await heard(telegram, FAMILY, "Your number: 7")


async def test_a_command_for_another_bot_is_no_wish_about_a_result(telegram: TelegramServer, tmp_path: Path) -> None:
    group = kitchen(telegram)
    anna = telegram.people[ANNA]
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption=f"{ME} Warmer.", chat=group)
        await heard(telegram, FAMILY, "Done.")
        anna.writes("/save@OtherBot", reply_to=sent(telegram, FAMILY, "photo")[0], chat=group)
        await dealt_with(telegram, group)
        assert len(await engine.store.jobs.list()) == 1


# Topics


async def test_all_answers_stay_in_the_topic(telegram: TelegramServer, tmp_path: Path) -> None:
    group, topic = forum(telegram)
    anna = telegram.people[ANNA]
    async with talking(tmp_path, telegram) as engine:
        message = anna.sends_photo(photo(1), caption=ME, chat=group, thread=topic, reply_to=group.everything[topic])
        draft = await heard(telegram, FORUM, "Photos: 1.")
        await kept(engine, draft)
        anna.writes(f"{ME} Snow.", chat=group, thread=topic, reply_to=group.everything[topic])
        await telegram.until(lambda: "Your wish: Snow." in draft.text)
        anna.presses(draft, "▶ Start")
        control = await heard(telegram, FORUM, "Done.")
        await telegram.until(lambda: "Finished" in draft.text)
        anna.presses(control, "Before / After")
        anna.presses(control, "ZIP")
        anna.presses(control, "Refine")
        anna.writes("/settings", chat=group, thread=topic)
        await telegram.until(lambda: sent(telegram, FORUM, "document")[-1].name.endswith(".zip"), within=15)
        await telegram.until(lambda: len(sent(telegram, FORUM, "photo")) == 2)
        await heard(telegram, FORUM, "Reply to this message")
        await heard(telegram, FORUM, "Your settings")
        assert len(group.messages) == 8
        assert {one.thread for one in group.messages} == {topic}
        assert all(call.params.get("message_thread_id") == topic for call in telegram.called("sendMessage"))
        assert control.reply_to is message


async def test_talk_in_a_topic_is_no_prompt(telegram: TelegramServer, tmp_path: Path) -> None:
    """In a topic every message counts as a reply to the one that opened it."""
    group, topic = forum(telegram)
    anna = telegram.people[ANNA]
    async with talking(tmp_path, telegram) as engine:
        opening = group.everything[topic]
        anna.sends_photo(photo(1), caption=ME, chat=group, thread=topic, reply_to=opening)
        draft = await heard(telegram, FORUM, "Photos: 1.")
        await kept(engine, draft)
        anna.writes("Lunch at noon?", chat=group, thread=topic, reply_to=opening)
        await dealt_with(telegram, group)
        assert await wish_of_newest(engine) == ""


async def test_drafts_of_two_topics_do_not_mix(telegram: TelegramServer, tmp_path: Path) -> None:
    group, cakes = forum(telegram)
    anna = telegram.people[ANNA]
    pies = anna.opens_topic(group, "Pies")
    async with talking(tmp_path, telegram) as engine:
        for topic in (cakes, pies):
            anna.sends_photo(photo(topic), caption=ME, chat=group, thread=topic)
        await telegram.until(lambda: len(said(telegram, FORUM, "Photos: 1.")) == 2)
        drafts = {draft.thread: draft for draft in said(telegram, FORUM, "Photos: 1.")}
        for draft in drafts.values():
            await kept(engine, draft)
        anna.writes(f"{ME} Snow.", chat=group, thread=cakes)
        await telegram.until(lambda: "Your wish: Snow." in drafts[cakes].text)
        assert "Your wish" not in drafts[pies].text


async def test_results_for_a_deleted_topic_still_arrive(telegram: TelegramServer, tmp_path: Path) -> None:
    group, topic = forum(telegram)
    anna = telegram.people[ANNA]
    async with talking(tmp_path, telegram):
        await anna.sends_album([photo(1), photo(2)], caption=f"{ME} Warmer.", chat=group, thread=topic)
        del group.topics[topic]
        await heard(telegram, FORUM, "Done: all 2.")
        assert (len(sent(telegram, FORUM, "photo")), len(sent(telegram, FORUM, "document"))) == (2, 2)
        anna.writes("/help", chat=group, thread=topic)
        await heard(telegram, FORUM, "Send photos with a caption")


# Elsewhere


async def test_in_private_nobody_needs_to_name_the_bot(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram) as engine:
        anna.sends_photo(photo(1), caption=f"{ME} Warmer.")
        await heard(telegram, ANNA, "Done.")
        anna.sends_photo(photo(2), caption="Colder.")
        await telegram.until(lambda: len(said(telegram, ANNA, "Done.")) == 2)
        jobs = await engine.store.jobs.list()
        images = [image for job in jobs for image in await engine.store.images.of_job(job.id)]
        assert [image.prompt for image in images] == ["Colder.", "Warmer."]
