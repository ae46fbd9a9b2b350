"""The door to every write of a conversation: check, do, commit, announce. Socket, REST, admin use it.

The rooms behind it, by noun: `member_actions`, `message_actions`, `reaction_actions`; they number and
tell through `facts`. Every function that announces has a convergence test.
"""

from conversation.facts import MEMBER_REMOVED_CONTROL, lock, record
from conversation.hooks import on_message
from conversation.member_actions import (
    Added,
    add_member,
    change_conversation,
    create_conversation,
    do_add_member,
    do_remove_member,
    do_rename,
    do_set_assistant,
    open_conversation,
    remove_member,
    rename_conversation,
    set_assistant,
)
from conversation.message_actions import (
    Sent,
    complete_message,
    delete_message,
    do_delete_message,
    edit_message,
    place_message,
    send_message,
    tell_message,
)
from conversation.reaction_actions import (
    add_reaction,
    pin_message,
    remove_reaction,
    unpin_message,
)

__all__ = [
    "MEMBER_REMOVED_CONTROL",
    "Added",
    "Sent",
    "add_member",
    "add_reaction",
    "change_conversation",
    "complete_message",
    "create_conversation",
    "delete_message",
    "do_add_member",
    "do_delete_message",
    "do_remove_member",
    "do_rename",
    "do_set_assistant",
    "edit_message",
    "lock",
    "on_message",
    "open_conversation",
    "pin_message",
    "place_message",
    "record",
    "remove_member",
    "remove_reaction",
    "rename_conversation",
    "send_message",
    "set_assistant",
    "tell_message",
    "unpin_message",
]
