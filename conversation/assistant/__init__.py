"""The assistant of a conversation: its runs, and who answers them."""
