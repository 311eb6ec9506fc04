"""What the bot owes to people whose albums it has, however often it is killed: all of it, and hardly anything twice."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from servers.telegram import TelegramServer
from servers.telegram_chats import Message
from servers.telegram_people import Person
from servers.telegram_wire import Call

PHOTO, FILE, CONTROL = "photo", "document", "control"
ALBUMS = {"sendMediaGroup", "sendPhoto", "sendDocument"}
DONE = "Done"
WITHIN = 60.0


def kind_of(call: Call) -> str:
    """What a call hands over; "": something else."""
    if call.method in ALBUMS:
        return PHOTO if call.method == "sendPhoto" or call.params.get("media", [{}])[0].get("type") == PHOTO else FILE
    is_control = call.method == "sendMessage" and str(call.params["text"]).startswith(DONE)
    return CONTROL if is_control else ""


class ChatPromise:
    """Albums of `in_album` photos that people have sent, one each, and the kills meanwhile."""

    def __init__(self, server: TelegramServer, in_album: int) -> None:
        self._server = server
        self._in_album = in_album
        self._kills: list[int] = []

    def killed(self) -> None:
        """To be called at each kill."""
        self._kills.append(len(self._server.calls))

    async def check(self, people: Sequence[Person], all_is_handed_over: Callable[[], Awaitable[None]]) -> None:
        """Everybody has everything, and once; of what may have been on its way at a kill, pictures are there twice."""
        await self._server.until(lambda: not self._server.world.updates.waiting, WITHIN)
        await all_is_handed_over()
        risks = self._at_risk()
        for person in people:
            for kind in (PHOTO, FILE, CONTROL):
                hits = risks[person.id, kind]
                allowed = 1 + (hits if kind == CONTROL else min(hits, 1))
                copies = [message.text for message in there(person, kind)]
                at_most = allowed * (1 if kind == CONTROL else self._in_album)
                assert len(copies) <= at_most, f"{person.id}: {kind} {copies}, killed before calls {self._kills}"
            await self._get_what_is_doubtful(person, all_is_handed_over)
            for kind in (PHOTO, FILE):
                names = {message.text.partition("/")[0] for message in there(person, kind)}
                assert names == {str(number) for number in range(1, self._in_album + 1)}

    def _at_risk(self) -> Counter[tuple[int, str]]:
        """What may be there more than once: in each chat what came last before a kill, and how many kills."""
        risks = Counter[tuple[int, str]]()
        for kill in self._kills:
            newest = {call.chat_id: kind for call in self._server.calls[:kill] if (kind := kind_of(call))}
            risks.update(newest.items())
        return risks

    async def _get_what_is_doubtful(self, person: Person, all_is_handed_over: Callable[[], Awaitable[None]]) -> None:
        """Two kills in the same call may have lost an album, and the last message must say so."""
        control = there(person, CONTROL)[-1]
        if ["Send again"] in control.labels:
            person.presses(control, "Send again")
            before = len(there(person, CONTROL))
            await self._server.until(lambda: len(there(person, CONTROL)) > before, WITHIN)
            await all_is_handed_over()


def there(person: Person, kind: str) -> list[Message]:
    """What of a kind is in somebody's chat."""
    messages = person.chat.messages
    if kind == CONTROL:
        return [message for message in messages if message.text.startswith(DONE)]
    return [message for message in messages if message.kind == kind]
