import { Announcer } from "../announcer";
import { Comings } from "../presence/comings";
import { Lobby } from "../presence/lobby";
import type { PeoplePanel } from "../presence/people_panel";
import "../presence/people_panel";
import { statusAt } from "../presence/person";
import { StatusDialog } from "../presence/status_dialog";
import { type Place, Whereabouts } from "../presence/whereabouts";
import { browserSurroundings } from "../realtime/session";
import { UserSocket } from "../realtime/user_socket";
import { ConversationList } from "./list";

/** The list of conversations and who is online, live. */
const list = document.querySelector<HTMLElement>("[data-conversations]");
if (list !== null) {
  const socket = new UserSocket("/socket", browserSurroundings);
  const panel = document.querySelector<PeoplePanel>("people-panel");
  const whereabouts = panel === null ? null : showPeople(panel, socket);
  new ConversationList(list, Number(list.dataset.user)).follow(socket, null, (topic, channel) => {
    whereabouts?.listen(topic, channel);
  });
  socket.open();
}

function showPeople(panel: PeoplePanel, socket: UserSocket): Whereabouts {
  const given = document.querySelector("#home-people")?.textContent ?? "";
  const { user, people } = JSON.parse(given) as Pick<PeoplePanel, "user"> & {
    people: PeoplePanel["acquaintances"];
  };
  panel.user = user;
  panel.acquaintances = people;
  panel.isOpen = window.matchMedia("(width >= 1080px)").matches;

  const region = document.querySelector<HTMLElement>("#announcements");
  const announcer = region === null ? null : new Announcer(region);
  const comings = new Comings(user.id, (sentence) => announcer?.say(sentence));
  const lobby = new Lobby(socket, () => {
    const { knowledge } = lobby.roster;
    if (panel.knowledge.kind === "loading") void whereabouts.ask();
    panel.knowledge = knowledge;
    panel.problem = lobby.problem;
    if (knowledge.kind === "people") comings.see(knowledge.people);
  });
  const whereabouts = new Whereabouts(lobby, conversations, (places) => {
    panel.places = places;
  });
  socket.watch(({ state }) => {
    const isLive = state === "open" || state === "connecting";
    panel.asOf = isLive ? null : (panel.asOf ?? new Date());
  });

  const dialog = document.querySelector<HTMLDialogElement>("#status-dialog");
  const form = dialog?.querySelector<HTMLFormElement>("[data-status-form]");
  if (dialog && form) {
    const own = new StatusDialog(dialog, form, lobby);
    panel.addEventListener("set-status", (event) => {
      const { knowledge } = lobby.roster;
      if (knowledge.kind === "loading") return;
      event.preventDefault();
      const known = knowledge.kind === "people" ? knowledge.people.get(user.id) : knowledge.own;
      own.open(statusAt(known?.status ?? null, new Date()));
    });
  }
  lobby.join();
  return whereabouts;
}

/** The conversations of the list, as they stand in it. */
function conversations(): Place[] {
  return [...document.querySelectorAll<HTMLElement>("[data-conversation]")].map((row) => ({
    topic: `conversation:${row.dataset.conversation}`,
    title: row.querySelector("[data-row-title]")?.textContent ?? "",
  }));
}
