"""What comes from Telegram, sorted: who may, what it is, and who deals with it.

When `keep` returns, whatever an update asks for is in the database, or was answered; answers are sent meanwhile.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from telegram import ChatMember, ChatMemberUpdated, Message, Update, User

from bot.access import Declined
from bot.album import PHOTO
from bot.commands import Commands
from bot.courier import CONTROL, RESULT
from bot.desk import Desk
from bot.errand import FRONTEND, errand_of, owner_of
from bot.grouping import Origin
from bot.incoming import (
    LARGEST_DOWNLOAD,
    File,
    file_of,
    is_addressed,
    is_ignored,
    item_of,
    origin_of,
    prompt_of,
    reply_of,
)
from bot.notice import NOTICE
from bot.people import Person
from bot.presses import REFINE, Presses
from bot.sentences import language_for, speaking
from bot.words import LastWords
from engine.job import ImageStatus, Job, JobStatus, Shown

log = logging.getLogger(__name__)

LOOKING = "👀"
"""The reaction that says: seen, and kept."""


class Updates:
    """Deals with one update after the other."""

    def __init__(self, desk: Desk, commands: Commands, presses: Presses, me: Callable[[], User]) -> None:
        self._desk = desk
        self._commands = commands
        self._presses = presses
        self._me = me
        self._declined = Declined()
        self._words = LastWords()
        self._at = 0.0

    async def keep(self, update: Update, at: float) -> None:
        """Deal with an update that arrived at a moment (POSIX seconds).

        Only errors of LightWork's own are raised; whoever sent it is asked to send it again.
        """
        self._at = at
        try:
            await self._deal(update)
        except Exception:
            self._apologize(update)
            raise

    async def _deal(self, update: Update) -> None:
        if query := update.callback_query:
            if self._may(query.from_user, query.message.chat.id if query.message else query.from_user.id):
                await self._presses.press(query)
            else:
                self._desk.chores.start(self._desk.client.answer(query.id))
        elif change := update.my_chat_member:
            await self._membership(change)
        elif (message := update.message) and not is_ignored(message):
            await self._message(message)
        elif (message := update.edited_message) and not is_ignored(message):
            await self._edited(message)

    def _apologize(self, update: Update) -> None:
        message, user = update.message, update.effective_user
        if message and user and self._may(user, message.chat_id):
            text = speaking(language_for(user.language_code))("hint.own_error")
            self._desk.say(origin_of(message), text, reply_to=message.message_id)

    def _may(self, user: User, chat: int) -> bool:
        return any(self._desk.access.may_use(user.id, name) for name in self._desk.client.names(chat))

    def _is_open(self, chat: int) -> bool:
        return any(self._desk.access.is_open(name) for name in self._desk.client.names(chat))

    async def _is_known(self, chat: int) -> bool:
        """Whether somebody who may has ever sent photos there; strangers' chats cost nothing more than that look."""
        return await self._desk.engine.store.messages.are_in(self._desk.client.names(chat))

    async def _membership(self, change: ChatMemberUpdated) -> None:
        """Whoever opens their chat again gets what waits for them."""
        is_open = change.new_chat_member.status in {ChatMember.MEMBER, ChatMember.ADMINISTRATOR}
        if is_open and await self._is_known(change.chat.id):
            await self._desk.chat_opened(change.chat.id)

    async def _message(self, message: Message) -> None:
        user = message.from_user
        if user is None:
            return
        if message.migrate_to_chat_id:
            if self._is_open(message.chat_id) or await self._is_known(message.chat_id):
                await self._desk.client.moved(message.chat_id, message.migrate_to_chat_id)
            return
        if not self._may(user, message.chat_id):
            self._decline(message, user)
            return
        person = await self._desk.people.get(user.id, user.language_code)
        if file := file_of(message):
            await self._photo(message, file, person)
        elif message.text:
            await self._text(message, person)
        elif message.chat.type == message.chat.PRIVATE and message.effective_attachment is not None:
            self._say(message, person, "hint.not_a_picture")

    def _decline(self, message: Message, user: User) -> None:
        """One polite line a day, and nothing else; groups hear it only if they speak to the bot."""
        if not is_addressed(message, self._me()) and not self._commands.is_command(message):
            return
        if self._declined.is_to_be_told(user.id, self._desk.engine.now().date()):
            say = speaking(language_for(user.language_code))
            log.info("declined: %d in chat %d is not on the list", user.id, message.chat_id)
            text = say("access.denied", id=user.id)
            if message.chat_id < 0:
                text += "\n" + say("access.denied_chat", id=message.chat_id)
            self._desk.say(origin_of(message), text, reply_to=message.message_id)

    # Photos

    async def _photo(self, message: Message, file: File, person: Person) -> None:
        me = self._me()
        addressed = is_addressed(message, me) or self._is_open(message.chat_id)
        if not addressed and not message.media_group_id:
            return
        if not message.media_group_id and self._is_hopeless(message, file, person):
            return
        await self._take(message, file, person, prompt_of(message, me), addressed=addressed)

    def _is_hopeless(self, message: Message, file: File, person: Person) -> bool:
        """What cannot be edited anyway, by what its sender says of it; it is told at once."""
        if not file.claims_to_be_a_picture:
            self._say(message, person, "hint.not_a_picture")
        elif file.size > LARGEST_DOWNLOAD and not self._desk.engine.settings.telegram.local_files:
            self._say(message, person, "hint.too_large", megabytes=LARGEST_DOWNLOAD // 1_000_000)
        else:
            return False
        return True

    async def _take(self, message: Message, file: File, person: Person, prompt: str, *, addressed: bool) -> None:
        item = item_of(message, prompt, addressed=addressed)
        words = "" if prompt else self._words.take(item.origin, self._at)
        wish = replace(person.wish, prompt=words)
        taken = await self._desk.albums.take(item, file, wish=wish, language=person.language, at=self._at)
        if taken is None:
            return
        self._desk.errands.expect(taken)
        if taken.is_news:
            self._desk.chores.start(self._desk.client.react(message.chat_id, message.message_id, LOOKING))

    # Words

    async def _text(self, message: Message, person: Person) -> None:
        text = prompt_of(message, self._me())
        if self._commands.is_command(message):
            await self._commands.obey(message, person)
        elif text.startswith("/") or not is_addressed(message, self._me()):
            return  # it is said to other bots, or to each other
        elif not text:
            await self._name_alone(message, person)
        elif reply := reply_of(message):
            await self._reply(message, reply, text, person)
        elif draft := await self._open_draft(origin_of(message)):
            await self._desk.set_prompt(draft, text)
        elif message.chat.type == message.chat.PRIVATE:
            self._words.note(origin_of(message), text, self._at)
            self._say(message, person, "hint.send_photo")

    async def _name_alone(self, message: Message, person: Person) -> None:
        """Below a photo it asks what is to be done with that."""
        reply = reply_of(message)
        if reply and (file := file_of(reply)):
            await self._take_replied(message, file, "", person)

    async def _open_draft(self, origin: Origin) -> Job | None:
        """The newest draft that takes a text, shown or still being put together."""
        jobs = await self._desk.engine.store.jobs.list(owner=owner_of(origin), frontend=FRONTEND)
        drafts = [job for job in jobs if job.status is JobStatus.PENDING]
        return next((job for job in drafts if not errand_of(job).detached and errand_of(job).origin == origin), None)

    async def _reply(self, message: Message, reply: Message, text: str, person: Person) -> None:
        shown = await self._desk.engine.store.messages.get(message.chat_id, reply.message_id)
        job = await self._desk.own_job(shown.job_id, message.from_user) if shown and message.from_user else None
        if shown and job:
            await self._about(shown, job, message, reply, text, person)
        elif file := file_of(reply):
            await self._take_replied(message, file, text, person)
        elif draft := await self._open_draft(origin_of(message)):
            await self._desk.set_prompt(draft, text)
        else:
            self._say(message, person, "hint.send_photo")

    async def _about(self, shown: Shown, job: Job, message: Message, reply: Message, text: str, person: Person) -> None:
        is_draft = job.status is JobStatus.PENDING
        if shown.role == PHOTO and is_draft:
            await self._desk.set_own_prompt(job, reply.message_id, text)
            self._say(message, person, "draft.own_prompt_set")
        elif shown.role == PHOTO and (file := file_of(reply)):
            await self._take_replied(message, file, text, person)
        elif shown.role == NOTICE and is_draft:
            await self._desk.set_prompt(job, text)
        elif shown.role in {RESULT, REFINE}:
            await self._refine(shown, job, message, text)
        elif shown.role == CONTROL and job.completed == 1:
            image = next(one for one in await self._desk.images(job) if one.status is ImageStatus.COMPLETED)
            await self._refine(Shown(shown.chat, shown.message, job.id, image.id), job, message, text)
        else:
            self._say(message, person, "hint.reply_to_one" if shown.role == CONTROL else "hint.too_late")

    async def _refine(self, shown: Shown, job: Job, message: Message, text: str) -> None:
        image = await self._desk.engine.store.images.get(shown.image_id)
        number = message.message_id
        if made := await self._desk.again.refine(job, image, origin_of(message), str(number), text, reply_to=number):
            await self._desk.errands.start(made)
            self._desk.chores.start(self._desk.client.react(message.chat_id, number, LOOKING))

    async def _take_replied(self, message: Message, file: File, text: str, person: Person) -> None:
        """A photo that was sent before, with the words of a reply to it."""
        await self._take(message, file, person, text, addressed=True)

    # What was changed afterwards

    async def _edited(self, message: Message) -> None:
        """A caption that is changed while its photo is not being edited yet counts as it is now."""
        user = message.from_user
        if user is None or not self._may(user, message.chat_id):
            return
        shown = await self._desk.engine.store.messages.get(message.chat_id, message.message_id)
        job = await self._desk.own_job(shown.job_id, user) if shown and shown.role == PHOTO else None
        if job and job.status is JobStatus.PENDING:
            await self._desk.change_caption(job, message.message_id, prompt_of(message, self._me()))

    def _say(self, message: Message, person: Person, name: str, **values: object) -> None:
        text = speaking(person.language)(name, **values)
        self._desk.say(origin_of(message), text, reply_to=message.message_id)
