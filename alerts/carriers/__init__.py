"""How a message goes out: e-mail, webhooks, chats, and what none of them may reach."""
