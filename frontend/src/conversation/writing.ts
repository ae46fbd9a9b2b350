import { candidatesFor } from "./candidates";
import { Composer, type ComposerPage } from "./composer";
import type { Room } from "./room";
import type { ConversationState } from "./state";
import { browserTimers } from "./timers";
import { uploadTo } from "./tray";
import { Typist } from "./typing";

/** What writing needs from the page around it. */
export interface WritingPage extends Pick<ComposerPage, "leave" | "editLast" | "send"> {
  state: ConversationState;
  room: Room;
}

/** A composer on `form` for the main line, or for a thread. */
export function composerOn(
  form: HTMLFormElement,
  threadId: string | null,
  { state, room, ...page }: WritingPage,
): Composer {
  const { id } = state.heading;
  const token = document.querySelector<HTMLInputElement>("[name=csrfmiddlewaretoken]")?.value ?? "";
  const typist = new Typist({
    joined: () => room.whenJoined(),
    push: (event) => {
      const isInThread = event === "start_typing" && threadId !== null;
      room.tell(event, isInThread ? { thread_id: threadId } : {});
    },
    now: () => Date.now(),
    ...browserTimers,
  });
  form.querySelector("textarea")?.addEventListener("blur", () => typist.stop());
  const place = threadId === null ? id : `${id}:${threadId}`;
  return new Composer(form, `commsite:draft:${state.user.id}:${place}`, {
    ...page,
    send: (written) => {
      typist.stop(true);
      page.send(written);
    },
    typed: (isEmpty) => typist.typed(isEmpty),
    candidates: (kind) => candidatesFor(kind, state),
    upload: uploadTo(`/api/v1/conversations/${id}/attachments/`, token),
  });
}
