"""The Telegram frontend."""

import os

# python-telegram-bot is on its way from seconds to timedelta, and warns at each "retry after" until one has chosen.
os.environ.setdefault("PTB_TIMEDELTA", "true")
