"""The Telegram frontend, which is not in this version yet: the settings refuse `[telegram] enabled = true`."""
