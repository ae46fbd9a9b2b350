"""Pages of conversations: the list, a new one, one of them. They read and write without a script.

What the conversation page shows at first is rendered here and handed over as data too; from there on
the topic of the conversation keeps it up to date.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from commsite.clients import queries as clients
from commsite.clients.pages import hue_of, page, private, user_of, zone_of
from commsite.realtime.errors import PushError
from commsite.realtime.schema import parse
from conversation import actions, hooks, queries
from conversation.message_shape import MessageShape
from conversation.models import BODY_CHARS, TITLE_CHARS, Conversation, Message
from conversation.plain_words import plain_words
from conversation.rates import spend
from conversation.schema import (
    AddMember,
    CreateConversation,
    FetchHistory,
    RemoveMember,
    RenameConversation,
    SendMessage,
)
from conversation.unread import Reader, unread
from presence.pages import status_form
from presence.queries import last_seen

ROWS_AT_HOME = 100
# Whoever is online is told by the topic; of those who are not, a page names no more than these.
PEOPLE_AT_HOME = 100
# As many as REST lists on a page: what is listed there and not here is new to the page.
ROWS_BESIDE = 50
GROUP = timedelta(minutes=5)


# --- Reading -------------------------------------------------------------------------------------
@require_GET
@private
def home(request: HttpRequest) -> HttpResponse:
    """My conversations, the liveliest first, and the people in them."""
    user = user_of(request)
    rows = _rows(request, ROWS_AT_HOME + 1)
    people = list(_people(user.pk))
    return page(
        request,
        "conversation/home.html",
        {
            "section": "conversations",
            "rows": rows[:ROWS_AT_HOME],
            "has_more": len(rows) > ROWS_AT_HOME,
            "people": people,
            "start": {"user": {"id": user.pk, "username": user.username}, "people": people},
            **status_form(user.pk),
        },
    )


@require_http_methods(["GET", "POST"])
@private
def conversation(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """One conversation with its newest messages; a POST says something, for pages without script."""
    if request.method == "POST":
        return _send(request, conversation_id)
    user = user_of(request)
    try:
        me = queries.membership(conversation_id, user.pk)
    except PushError as error:
        raise Http404(error.message) from None
    # As a join does: the seq is read first and bounds the messages; the topic tells the rest.
    seq = me.conversation.last_seq
    shown = queries.newest(conversation_id, seq)
    start = queries.welcome(me)
    preferences = clients.preferences_of(user.pk)
    enter_sends = preferences["send_with"] == "enter"
    has_more = _has_more(conversation_id, user.pk, shown)
    with timezone.override(zone_of(request)):
        timeline = list(_timeline(shown))
    return page(
        request,
        "conversation/conversation.html",
        {
            "section": "conversations",
            "rows": _rows(request, ROWS_BESIDE),
            "conversation": start["conversation"],
            "members": [{**member, "hue": hue_of(member["id"])} for member in start["members"]],
            "is_owner": any(
                member["id"] == user.pk and member["role"] == "owner" for member in start["members"]
            ),
            "timeline": timeline,
            "has_more": has_more,
            "enter_sends": enter_sends,
            "client_id": uuid.uuid4(),
            "body_chars": BODY_CHARS,
            "title_chars": TITLE_CHARS,
            "start": {
                **start,
                "messages": shown,
                "seq": seq,
                "has_more": has_more,
                # Nothing is shown that is not stored: what a run has said is there, until the join tells it.
                "runs": hooks.live_runs(conversation_id),
            },
        },
    )


def _rows(request: HttpRequest, limit: int) -> list[dict[str, Any]]:
    user_id = user_of(request).pk
    rows = list(queries.my_conversations(user_id)[:limit])
    missed = unread([user_id], [row.id for row in rows])
    return [
        {
            "conversation": row,
            "last": row.last_message,
            "preview": _preview(row.last_message),
            "hue": hue_of(row.id.int),
            **{name: its[name] if its else 0 for name in ("unread", "mentions")},
        }
        for row in rows
        for its in [missed.get(Reader(row.id, user_id))]
    ]


def _preview(last: Message | None) -> str:
    """The last message in a line of a list, as the front end puts it."""
    if last is None:
        return ""
    if last.deleted_at:
        return "Deleted message"
    # Messages of the time before Markdown have no HTML stored.
    words = plain_words(last.html) if last.html else " ".join(last.body.split())
    return words or ("…" if last.role == Message.Role.ASSISTANT else "A file")


def _people(user_id: int) -> Iterable[dict[str, Any]]:
    """The others in my conversations."""
    shared = User.objects.filter(memberships__conversation__members__user_id=user_id)
    people = shared.exclude(pk=user_id).distinct().order_by("username")[:PEOPLE_AT_HOME]
    seen = last_seen([person.pk for person in people])
    for person in people:
        yield {
            "id": person.pk,
            "username": person.username,
            "hue": hue_of(person.pk),
            "last_seen": seen.get(person.pk),
        }


def _has_more(conversation_id: uuid.UUID, user_id: int, shown: list[MessageShape]) -> bool:
    if not shown:
        return False
    before = FetchHistory(before_seq=shown[0]["seq"], limit=1)
    return bool(queries.history(conversation_id, user_id, before)["messages"])


def _timeline(shown: Iterable[MessageShape]) -> Iterable[dict[str, Any]]:
    """The messages under their days and authors, as the front end groups them."""
    author, last = None, None
    by_id = {message["id"]: message for message in shown}
    for message in shown:
        at = timezone.localtime(datetime.fromisoformat(message["created_at"]))
        is_new_day = last is None or at.date() != last.date()
        is_first = is_new_day or author != message["author"]["id"] or at - (last or at) > GROUP
        yield {
            "message": message,
            "at": at,
            "is_new_day": is_new_day,
            "is_first": is_first,
            "hue": hue_of(message["author"]["id"]),
            "answered": by_id.get(message["reply_to"] or ""),
            "answered_words": _words_of(by_id.get(message["reply_to"] or "")),
        }
        author, last = message["author"]["id"], at


def _words_of(answered: MessageShape | None) -> str:
    if answered is None:
        return ""
    return "Deleted message" if answered["deleted_at"] else plain_words(answered["html"])


# --- Writing -------------------------------------------------------------------------------------
def _send(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    said = {
        "body": request.POST.get("body", "").strip(),
        "client_id": request.POST.get("client_id") or str(uuid.uuid4()),
    }
    try:
        spend("message", user_of(request).pk)
        command = parse(SendMessage, said)
        actions.send_message(conversation_id, user_of(request).pk, command)
    except PushError as error:
        return _back(request, conversation_id, error)
    return redirect("conversation", conversation_id)


@require_http_methods(["GET", "POST"])
@private
def new_conversation(request: HttpRequest) -> HttpResponse:
    """A form, then the conversation."""
    given: Mapping[str, Any] = {"title": "", "members": []}
    problem = ""
    form_id = request.POST.get("client_id") or str(uuid.uuid4())
    if request.method == "POST":
        names = request.POST.get("members", "").replace(",", " ").split()
        given = {"title": request.POST.get("title", "").strip(), "members": names}
        try:
            # Sent twice it opens one; with another title, after going back, it is another.
            client_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{form_id}/{given['title']}"))
            command = parse(CreateConversation, {**given, "client_id": client_id})
            created = actions.create_conversation(user_of(request).pk, command)
            return redirect("conversation", created["id"])
        except PushError as error:
            problem = error.message if given["title"] else "Give it a title."
    return page(
        request,
        "conversation/new.html",
        {
            "section": "conversations",
            "given": given,
            "client_id": form_id,
            "problem": problem,
            "title_chars": TITLE_CHARS,
        },
        status=422 if problem else 200,
    )


@require_POST
@private
def add_member(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Lets somebody in by name."""
    try:
        command = parse(AddMember, {"username": request.POST.get("username", "").strip()})
        actions.add_member(conversation_id, user_of(request).pk, command)
    except PushError as error:
        return _back(request, conversation_id, error)
    return redirect("conversation", conversation_id)


@require_POST
@private
def rename(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Gives it another title."""
    try:
        command = parse(RenameConversation, {"title": request.POST.get("title", "").strip()})
        actions.rename_conversation(conversation_id, user_of(request).pk, command)
    except PushError as error:
        return _back(request, conversation_id, error)
    return redirect("conversation", conversation_id)


@require_POST
@private
def leave(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Takes me out of it."""
    user_id = user_of(request).pk
    title = Conversation.objects.filter(pk=conversation_id).values_list("title", flat=True).first()
    try:
        actions.remove_member(conversation_id, user_id, RemoveMember(user_id=user_id))
    except PushError as error:
        return _back(request, conversation_id, error)
    messages.success(request, f"You have left {title}.")
    return redirect("home")


def _back(request: HttpRequest, conversation_id: uuid.UUID, error: PushError) -> HttpResponse:
    if error.reason == "not_found":
        raise Http404(error.message) from None
    messages.error(request, error.message)
    return redirect("conversation", conversation_id)


urlpatterns = [
    path("", home, name="home"),
    path("conversations/new/", new_conversation, name="new-conversation"),
    path("conversations/<uuid:conversation_id>/", conversation, name="conversation"),
    path("conversations/<uuid:conversation_id>/members/", add_member, name="add-member"),
    path("conversations/<uuid:conversation_id>/rename/", rename, name="rename-conversation"),
    path("conversations/<uuid:conversation_id>/leave/", leave, name="leave-conversation"),
]
