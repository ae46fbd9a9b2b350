import { html, render } from "lit";
import { closePopover, openPopover } from "./popover";

const GROUPS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    "Answers",
    [
      ["👍", "thumbs up"],
      ["👎", "thumbs down"],
      ["✅", "done"],
      ["❌", "no"],
      ["👀", "looking at it"],
      ["🙏", "thank you"],
      ["🙌", "hooray"],
      ["👏", "applause"],
      ["💯", "exactly"],
      ["🤝", "agreed"],
      ["➕", "plus one"],
      ["❓", "question"],
    ],
  ],
  [
    "Faces",
    [
      ["😄", "laughing"],
      ["😂", "tears of joy"],
      ["🙂", "smile"],
      ["😉", "wink"],
      ["😍", "love it"],
      ["🤔", "thinking"],
      ["😅", "phew"],
      ["😮", "surprised"],
      ["😢", "sad"],
      ["😬", "awkward"],
      ["🤯", "mind blown"],
      ["🫠", "melting"],
    ],
  ],
  [
    "Things",
    [
      ["❤️", "heart"],
      ["🎉", "celebration"],
      ["🚀", "shipped"],
      ["🔥", "fire"],
      ["⭐", "star"],
      ["💡", "idea"],
      ["🐛", "bug"],
      ["🔧", "fix"],
      ["📌", "note"],
      ["⏳", "waiting"],
      ["☕", "coffee"],
      ["🎂", "cake"],
    ],
  ],
];

/** Opens the picker beside the button that asked for it; `chosen` gets the emoji. */
export function openEmojiPicker(anchor: HTMLElement | null, chosen: (emoji: string) => void): void {
  const picker = document.createElement("div");
  picker.className = "emoji-picker";
  picker.role = "dialog";
  picker.dataset.columns = "6";
  picker.setAttribute("aria-label", "Add reaction");
  const choose = (emoji: string): void => {
    closePopover();
    chosen(emoji);
  };
  render(
    GROUPS.map(
      ([title, emoji]) => html`<h2>${title}</h2>
        <div class="emoji-grid">
          ${emoji.map(
            ([sign, name]) =>
              html`<button type="button" title=${name} aria-label=${`${sign} ${name}`} @click=${() => choose(sign)}>${sign}</button>`,
          )}
        </div>`,
    ),
    picker,
  );
  openPopover(picker, anchor);
}
