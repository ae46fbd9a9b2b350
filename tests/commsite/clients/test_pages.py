"""Login and account pages: one's own devices, preferences, password."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from commsite.clients import queries
from commsite.clients.models import ClientSession
from commsite.clients.schema import DEFAULT_PREFERENCES

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "analytical-engine"


@pytest.fixture
def ada():
    return User.objects.create_user("ada", password=PASSWORD)


def signed_in(username="ada", **headers):
    client = Client(headers=headers)
    response = client.post("/login/", {"username": username, "password": PASSWORD})
    assert response.status_code == 302
    return client


def device_of(client):
    return ClientSession.objects.get(id=client.session["client_session"])


def test_a_login_leads_home_or_to_where_one_wanted_to_go(ada):
    credentials = {"username": "ada", "password": PASSWORD}
    assert Client().post("/login/", credentials)["Location"] == "/"
    wanted = Client().post("/login/", {**credentials, "next": "/account/"})
    assert wanted["Location"] == "/account/"


def test_a_login_leads_to_no_other_site(ada):
    credentials = {"username": "ada", "password": PASSWORD, "next": "https://evil.example/"}
    assert Client().post("/login/", credentials)["Location"] == "/"


def test_a_wrong_password_says_so_and_keeps_the_name(ada, client):
    html = client.post("/login/", {"username": "ada", "password": "no"}).content.decode()
    assert 'role="alert"' in html
    assert 'value="ada"' in html


def test_the_demo_logins_are_shown_only_where_they_work(client, settings):
    assert b"commsite-demo" in client.get("/login/").content
    settings.ARE_DEMO_PASSWORDS_ALLOWED = False
    assert b"commsite-demo" not in client.get("/login/").content


def test_guessing_ends_in_a_page_that_says_when_to_come_back(ada, client):
    for _ in range(8):
        response = client.post("/login/", {"username": "ada", "password": "guess"})
    assert response.status_code == 429
    assert b"Too many failed attempts" in response.content


def test_the_account_shows_my_devices_with_this_one_first(ada):
    signed_in(user_agent="Mozilla/5.0 (X11; Linux) Firefox/140")
    here = signed_in(user_agent="Mozilla/5.0 (Windows) Chrome/140")
    User.objects.create_user("grace", password=PASSWORD)
    signed_in("grace", user_agent="Mozilla/5.0 (Macintosh; Mac OS X) Safari/605")
    html = here.get("/account/").content.decode()
    assert html.index("Chrome on Windows") < html.index("this device")
    assert html.index("this device") < html.index("Firefox on Linux")
    assert "Safari" not in html


def test_a_device_of_mine_is_signed_out_and_one_of_others_is_not(ada):
    here, other = signed_in(), signed_in()
    User.objects.create_user("grace", password=PASSWORD)
    grace = signed_in("grace")
    for client in (other, grace):
        here.post(f"/account/devices/{device_of(client).id}/revoke/")
    assert device_of(other).is_revoked
    assert other.get("/").status_code == 302
    assert not device_of(grace).is_revoked
    assert here.get("/").status_code == 200


def test_all_others_are_signed_out_at_once(ada):
    here, *others = (signed_in() for _ in range(3))
    here.post("/account/devices/others/revoke/")
    assert all(device_of(other).is_revoked for other in others)
    assert not device_of(here).is_revoked


def test_a_new_password_keeps_this_browser_and_ends_the_others(ada):
    here, other = signed_in(), signed_in()
    before = device_of(here)
    new = "difference-engine"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post("/account/password/", data).status_code == 302
    ada.refresh_from_db()
    assert ada.check_password(new)
    assert here.get("/account/").status_code == 200
    assert device_of(here).id != before.id
    assert other.get("/").status_code == 302


def test_a_password_that_will_not_do_is_refused_beside_its_field(ada):
    here = signed_in()
    data = {"old_password": "wrong", "new_password1": "12345678", "new_password2": "12345678"}
    response = here.post("/account/password/", data)
    assert response.status_code == 422
    assert b'aria-invalid="true"' in response.content
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_preferences_are_kept_and_the_theme_is_known_before_the_next_login(ada):
    here = signed_in()
    here.post("/account/preferences/", {"theme": "dark", "send_with": "ctrl_enter"})
    assert queries.preferences_of(ada.pk)["send_with"] == "ctrl_enter"
    assert b'data-theme="dark"' in here.get("/account/").content
    here.post("/logout/")
    assert b'data-theme="dark"' in here.get("/login/").content


def test_receipts_are_shared_until_one_says_no(ada):
    here = signed_in()
    yes = rb'name="share_receipts"\s+value="true"\s+checked'
    assert re.search(yes, here.get("/account/").content)
    assert queries.preferences_of(ada.pk)["share_receipts"] is True
    here.post("/account/preferences/", {"share_receipts": "false"})
    assert queries.preferences_of(ada.pk)["share_receipts"] is False
    assert queries.who_chose("share_receipts", False, [ada.pk]) == {ada.pk}


def test_privacy_is_chosen_in_a_form_of_its_own_and_touches_no_other_preference(ada):
    here = signed_in()
    here.post("/account/preferences/", {"theme": "dark"})
    here.post("/account/preferences/", {"visibility": "nobody", "last_seen": "off"})
    chosen = queries.preferences_of(ada.pk)
    assert (chosen["theme"], chosen["visibility"], chosen["last_seen"]) == ("dark", "nobody", "off")
    page = here.get("/account/").content
    assert re.search(rb'name="visibility"\s+value="nobody"\s+checked', page)
    assert re.search(rb'name="last_seen"\s+value="off"\s+checked', page)


def test_every_preference_has_its_place_on_the_page(ada):
    page = signed_in().get("/account/").content.decode()
    shown = set(re.findall(r'type="radio"\s+name="(\w+)"', page))
    assert shown == set(DEFAULT_PREFERENCES)


def test_a_preference_that_does_not_exist_changes_nothing(ada):
    here = signed_in()
    response = here.post("/account/preferences/", {"theme": "<plaid>"}, follow=True)
    assert b"do not exist" in response.content
    assert queries.preferences_of(ada.pk)["theme"] == "system"


def test_a_logout_ends_the_device_and_needs_a_post(ada):
    here = signed_in()
    device = device_of(here)
    assert here.get("/logout/").status_code == 405
    here.post("/logout/")
    device.refresh_from_db()
    assert device.is_revoked
    assert here.get("/account/").status_code == 302
