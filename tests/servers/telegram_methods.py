"""The methods of the Bot API that a photo bot calls."""

import re
from typing import Any

from servers.telegram_behaviours import bad_request
from servers.telegram_chats import Chat, Message
from servers.telegram_wire import Call, needed
from servers.telegram_world import BOT, Answer, World, membership

Json = dict[str, Any]
ABILITIES = {
    "can_join_groups": True,
    "can_read_all_group_messages": False,
    "supports_inline_queries": False,
    "can_connect_to_business": False,
    "has_main_web_app": False,
}
CHAT_DETAILS = {
    "accent_color_id": 0,
    "max_reaction_count": 11,
    "accepted_gift_types": dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
    ),
}
ACTIONS = (
    {"typing", "choose_sticker", "find_location"}
    | {f"{verb}_{what}" for verb in ("upload", "record") for what in ("voice", "video", "video_note")}
    | {"upload_photo", "upload_document"}
)
SIMPLE_REACTIONS = (
    "👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐"
    "🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾🤷😡"
)
REACTIONS = {*SIMPLE_REACTIONS, "❤\u200d🔥", "👨\u200d💻", "🤷\u200d♂", "🤷\u200d♀"}
MOST_COMMANDS = 100
COMMAND = re.compile(r"/?[a-z0-9_]{1,32}")


class Methods:
    """Each method takes a call and returns its result; raises Refused. Sending is in telegram_sending."""

    def __init__(self, world: World) -> None:
        self.world = world

    def getMe(self, _: Call) -> Json:
        return BOT | ABILITIES

    async def getUpdates(self, call: Call) -> list[Json]:
        return await self.world.updates.poll(call.params)

    def deleteWebhook(self, call: Call) -> bool:
        if call.params.get("drop_pending_updates"):
            self.world.updates.drop()
        return True

    def getWebhookInfo(self, _: Call) -> Json:
        waiting = len(self.world.updates.waiting)
        return {"url": "", "has_custom_certificate": False, "pending_update_count": waiting}

    def getFile(self, call: Call) -> Json:
        return self.world.files.path_of(needed(call.params, "file_id"))

    def getChat(self, call: Call) -> Json:
        return self._chat(call).brief() | CHAT_DETAILS

    def getChatMember(self, call: Call) -> Json:
        chat, user_id = self._chat(call), needed(call.params, "user_id")
        person = BOT if user_id == BOT["id"] else self.world.people.get(user_id)
        if person is None:
            raise bad_request("invalid user_id specified")
        return membership(chat.members.get(user_id, "left"), person)

    def deleteMessage(self, call: Call) -> bool:
        message = self._chat(call).find(needed(call.params, "message_id"))
        if message is None:
            raise bad_request("message to delete not found")
        if not message.by_bot and message.chat.type != "private":
            raise bad_request("message can't be deleted")
        message.deleted = True
        return True

    def deleteMessages(self, call: Call) -> bool:
        for message_id in needed(call.params, "message_ids"):
            if message := self._chat(call).find(message_id):
                message.deleted = True
        return True

    def answerCallbackQuery(self, call: Call) -> bool:
        callback_id = str(needed(call.params, "callback_query_id"))
        if callback_id not in self.world.live_callbacks:
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        told = call.params
        text = str(told.get("text", ""))
        if len(text) > 200:
            raise bad_request("MESSAGE_TOO_LONG")
        self.world.answers.append(Answer(callback_id, text, bool(told.get("show_alert")), told.get("url", "")))
        return True

    def setMessageReaction(self, call: Call) -> bool:
        chat, wanted = self._chat(call), call.params.get("reaction", [])
        message = chat.find(needed(call.params, "message_id"))
        if message is None:
            raise bad_request("message to react not found")
        if len(wanted) > 1:
            raise bad_request("REACTIONS_TOO_MANY")
        emojis = [str(one.get("emoji")) for one in wanted]
        if any(emoji.replace("\ufe0f", "") not in REACTIONS for emoji in emojis):
            raise bad_request("REACTION_INVALID")
        chat.reactions[message.id] = emojis
        return True

    def sendChatAction(self, call: Call) -> bool:
        chat, action = self._chat(call), needed(call.params, "action")
        if action not in ACTIONS:
            raise bad_request("wrong parameter action in request")
        self._thread(chat, call)
        chat.actions.append(action)
        return True

    def setMyCommands(self, call: Call) -> bool:
        commands = call.params.get("commands", [])
        if len(commands) > MOST_COMMANDS:
            raise bad_request("BOT_COMMANDS_TOO_MUCH")
        for one in commands:
            _judge_command(one)
        self.world.commands[self._audience(call)] = commands
        return True

    def getMyCommands(self, call: Call) -> list[Json]:
        return self.world.commands.get(self._audience(call), [])

    def deleteMyCommands(self, call: Call) -> bool:
        self.world.commands.pop(self._audience(call), None)
        return True

    def _audience(self, call: Call) -> tuple[str, str]:
        """Who sees the commands: the scope (with its chat, for example "chat:7") and the language."""
        scope, language = call.params.get("scope", {}), call.params.get("language_code", "")
        if language and not re.fullmatch("[a-z]{2}", language):
            raise bad_request("invalid language code specified")
        if "chat_id" not in scope:
            return scope.get("type", "default"), language
        return f"{scope['type']}:{self.world.chat(int(scope['chat_id'])).id}", language

    def _chat(self, call: Call) -> Chat:
        if "chat_id" not in call.params:
            raise bad_request("chat_id is empty")
        return self.world.chat(call.params["chat_id"])

    def _thread(self, chat: Chat, call: Call) -> int | None:
        thread = call.params.get("message_thread_id")
        if thread is not None and thread not in chat.topics:
            raise bad_request("message thread not found")
        return thread

    def _own(self, call: Call) -> Message:
        """The bot's message that is to be edited."""
        chat, message_id = self._chat(call), needed(call.params, "message_id")
        message = chat.find(message_id)
        if message is None:
            raise bad_request("message to edit not found")
        if not message.by_bot:
            raise bad_request("message can't be edited")
        return message


def _judge_command(one: Json) -> None:
    if not COMMAND.fullmatch(one.get("command", "")):
        raise bad_request("BOT_COMMAND_INVALID")
    if not 1 <= len(one.get("description", "")) <= 256:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
