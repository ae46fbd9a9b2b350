import { browserSurroundings } from "../realtime/session";
import { UserSocket } from "../realtime/user_socket";
import { ConversationList } from "./list";

/** The list of conversations, live. */
const list = document.querySelector<HTMLElement>("[data-conversations]");
if (list !== null) {
  const socket = new UserSocket("/socket", browserSurroundings);
  new ConversationList(list, Number(list.dataset.user)).follow(socket, null);
  socket.open();
}
