"""The conversation pages as the server renders them: who may, what is there, what a form does."""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from conversation import actions, rates
from conversation.assistant import actions as assistant
from conversation.assistant.models import Run
from conversation.assistant.schema import StartRun
from conversation.models import Conversation, Member, Message
from conversation.schema import CreateConversation, SendMessage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people():
    return {name: User.objects.create_user(name, password="p") for name in ("ada", "grace")}


@pytest.fixture
def ada(people):
    client = Client()
    client.force_login(people["ada"], backend="commsite.clients.backends.AccountBackend")
    return client


@pytest.fixture
def room(people):
    command = CreateConversation(title="Engines", members=[])
    return uuid.UUID(actions.create_conversation(people["ada"].pk, command)["id"])


def say(room, person, body, at=None):
    command = SendMessage(body=body, client_id=uuid.uuid4().hex)
    sent = actions.send_message(room, person.pk, command)
    if at is not None:
        Message.objects.filter(pk=sent.message["id"]).update(created_at=at)


def start_of(response):
    found = re.search(
        r'<script id="conversation-start" type="application/json">(.*?)</script>',
        response.content.decode(),
    )
    assert found is not None
    return json.loads(found[1])


def test_pages_of_strangers_and_of_nothing_are_the_same_page(ada, people):
    other = actions.create_conversation(people["grace"].pk, CreateConversation(title="Not hers"))
    for conversation_id in (other["id"], uuid.uuid4()):
        assert ada.get(f"/conversations/{conversation_id}/").status_code == 404
        for verb in ("members", "rename", "leave"):
            data = {"username": "ada", "title": "mine"}
            assert ada.post(f"/conversations/{conversation_id}/{verb}/", data).status_code == 404
    assert Conversation.objects.get(pk=other["id"]).title == "Not hers"


@pytest.mark.parametrize(
    "address", ["/", "/conversations/new/", f"/conversations/{uuid.UUID(int=1)}/"]
)
def test_whoever_is_not_logged_in_is_asked_to(client, address):
    response = client.get(address)
    assert response.status_code == 302
    assert response["Location"] == f"/login/?next={address}"


def test_a_page_holds_no_script_and_no_style_of_its_own(ada, room, people):
    say(room, people["ada"], "hello")
    for address in ("/", "/conversations/new/", f"/conversations/{room}/"):
        response = ada.get(address)
        html = response.content.decode()
        inline = re.findall(r"<script(?![^>]*\b(?:src|application/json))", html)
        assert (inline, re.findall(r"<style|\sstyle=|\son\w+=", html)) == ([], [])
        assert "script-src 'self'" in response["Content-Security-Policy"]
        assert "no-store" in response["Cache-Control"]


def test_the_empty_list_offers_the_first_step(ada):
    html = ada.get("/").content.decode()
    assert "Your conversations will be here" in html
    assert 'href="/conversations/new/"' in html


def test_the_newest_messages_are_there_without_a_script_and_as_data(ada, room, people):
    for number in range(60):
        say(room, people["ada"], f"line {number}")
    response = ada.get(f"/conversations/{room}/")
    start = start_of(response)
    assert [message["body"] for message in start["messages"]] == [
        f"line {n}" for n in range(10, 60)
    ]
    assert (start["seq"], start["has_more"]) == (60, True)
    shown = re.findall(
        r'<div class="message-body" dir="auto"><p>(.*?)</p>', response.content.decode()
    )
    assert shown == [f"line {n}" for n in range(10, 60)]


def test_a_list_shows_words_and_not_how_they_were_typed(ada, room, people):
    say(room, people["ada"], "**No model** is\n- configured")
    page = " ".join(ada.get("/").content.decode().split())
    assert "You: No model is configured" in page
    Message.objects.update(deleted_at=timezone.now(), body="", html="")
    assert "You: Deleted message" in " ".join(ada.get("/").content.decode().split())


def test_an_answer_that_is_being_written_is_part_of_the_first_page(ada, room, people):
    command = StartRun(body="Why?", client_id="why")
    started = assistant.start_run(room, people["ada"].pk, command)
    Run.objects.filter(pk=started.run["id"]).update(status="running", text="Because", offset=7)
    (run,) = start_of(ada.get(f"/conversations/{room}/"))["runs"]
    assert (run["id"], run["text"]) == (started.run["id"], "Because")


def test_a_member_can_take_the_whole_conversation_along(ada, room, people):
    page = ada.get(f"/conversations/{room}/").content.decode()
    address = re.search(r'href="([^"]+/export/)"\s+download', page)
    assert address is not None
    assert ada.get(address[1]).headers["Content-Disposition"].startswith("attachment")


def test_what_was_said_is_text_in_the_page_and_in_the_data(ada, room, people):
    attack = "</script><script>alert(1)</script> & <b>"
    say(room, people["ada"], attack)
    response = ada.get(f"/conversations/{room}/")
    assert start_of(response)["messages"][0]["body"] == attack
    assert "<script>alert" not in response.content.decode()


def test_messages_are_grouped_by_author_and_time_in_the_readers_zone(ada, room, people):
    Member.objects.create(conversation_id=room, user=people["grace"])
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    for minutes in (0, 2, 20):
        say(room, people["ada"], "a", noon + timedelta(minutes=minutes))
    say(room, people["grace"], "b", noon + timedelta(minutes=21))
    ada.cookies["zone"] = "Asia/Kathmandu"
    html = ada.get(f"/conversations/{room}/").content.decode()
    rows = re.findall(r'<li class="message".*?>', html, flags=re.DOTALL)
    assert ["data-first" in row for row in rows] == [True, False, True, True]
    assert "18:06" in html


@pytest.mark.parametrize("zone", ["../../etc/passwd", "No/Where", "", "x" * 5000])
def test_a_zone_that_does_not_exist_changes_nothing(ada, room, zone):
    ada.cookies["zone"] = zone
    assert ada.get(f"/conversations/{room}/").status_code == 200


@pytest.mark.usefixtures("a_clock_that_stands")
def test_a_form_is_held_to_the_rate_of_all_other_doors(ada, people, room):
    for _ in range(10):
        rates.spend("message", people["ada"].pk)  # as the socket does

    response = ada.post(f"/conversations/{room}/", {"body": "one too many"}, follow=True)

    assert not Message.objects.exists()
    assert "too fast" in response.content.decode()


def test_a_form_sent_twice_says_it_once(ada, room):
    for _ in range(2):
        data = {"body": "  once  ", "client_id": "c1"}
        assert ada.post(f"/conversations/{room}/", data).status_code == 302
    assert [message.body for message in Message.objects.all()] == ["once"]


def test_a_message_that_cannot_be_is_refused_with_a_sentence(ada, room):
    response = ada.post(f"/conversations/{room}/", {"body": "   "}, follow=True)
    assert response.status_code == 200
    assert b'data-tone="danger"' in response.content
    assert not Message.objects.exists()


def test_a_new_conversation_opens_with_the_people_named(ada, people):
    response = ada.post("/conversations/new/", {"title": "Looms", "members": "grace, grace"})
    made = Conversation.objects.get(title="Looms")
    assert response["Location"] == f"/conversations/{made.pk}/"
    assert {member.user.username for member in made.members.all()} == {"ada", "grace"}


def test_a_form_that_is_sent_twice_opens_one_conversation(ada):
    page = ada.get("/conversations/new/").content.decode()
    [form] = re.findall(r'name="client_id" value="([^"]+)"', page)
    sent = {"title": "Looms", "members": "", "client_id": form}
    first, again = (ada.post("/conversations/new/", sent) for _ in range(2))
    assert first["Location"] == again["Location"]
    other = ada.post("/conversations/new/", {**sent, "title": "Spindles"})
    assert other["Location"] != first["Location"]
    assert Conversation.objects.count() == 2


def test_a_name_that_is_nobodys_keeps_what_was_typed(ada):
    response = ada.post("/conversations/new/", {"title": "Looms", "members": "nobody"})
    assert response.status_code == 422
    html = response.content.decode()
    assert "Nobody is called nobody." in html
    assert 'value="Looms"' in html
    assert 'value="nobody"' in html


def test_an_owner_adds_renames_and_leaves(ada, room, people):
    ada.post(f"/conversations/{room}/members/", {"username": "grace"})
    ada.post(f"/conversations/{room}/rename/", {"title": "Difference engines"})
    assert Conversation.objects.get(pk=room).title == "Difference engines"
    response = ada.post(f"/conversations/{room}/leave/", follow=True)
    assert b"You have left Difference engines." in response.content
    assert [member.user.username for member in Member.objects.all()] == ["grace"]


def test_a_member_who_does_not_own_it_is_told_so(people, room):
    Member.objects.create(conversation_id=room, user=people["grace"])
    grace = Client()
    grace.force_login(people["grace"], backend="commsite.clients.backends.AccountBackend")
    assert b"Rename" not in grace.get(f"/conversations/{room}/").content
    response = grace.post(f"/conversations/{room}/rename/", {"title": "Mine"}, follow=True)
    assert b"Only an owner" in response.content
    assert Conversation.objects.get(pk=room).title == "Engines"


def test_writing_needs_the_token_of_the_form(room, people):
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(people["ada"], backend="commsite.clients.backends.AccountBackend")
    response = careful.post(f"/conversations/{room}/", {"body": "forged"})
    assert response.status_code == 403
    assert b"This form is too old" in response.content
    assert not Message.objects.exists()
