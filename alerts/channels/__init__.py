"""Where people are told: e-mail, webhooks, chats, each verified by its person."""
