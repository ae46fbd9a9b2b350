interface Open {
  element: HTMLElement;
  anchor: HTMLElement | null;
  /** What it stands beside: the anchor's row, which stays where its buttons come and go. */
  holder: HTMLElement | null;
  /** How far below the holder's upper edge it stands, in pixels. */
  offset: number;
  /** Whether the holder has been in view: a key may open a menu for a row that is not. */
  isSeen: boolean;
}

const GAP = 6;
let open: Open | null = null;

/** Puts away whatever lies over the page; the focus goes back to where it came from. */
export function closePopover(): void {
  if (open === null) return;
  const { element, anchor } = open;
  open = null;
  const hadFocus = element.contains(document.activeElement);
  element.remove();
  anchor?.setAttribute("aria-expanded", "false");
  if (hadFocus) focusTarget(anchor)?.focus();
}

/** Shows `element` beside `anchor`, inside the window; a second call with the same anchor closes it. */
export function openPopover(element: HTMLElement, anchor: HTMLElement | null): boolean {
  const isSame = open !== null && anchor !== null && open.anchor === anchor;
  closePopover();
  if (isSame) return false;
  element.classList.add("popover");
  document.body.append(element);
  anchor?.setAttribute("aria-expanded", "true");
  place(element, anchor);
  const holder = anchor?.closest<HTMLElement>(".message") ?? anchor;
  const edge = holder?.getBoundingClientRect().top ?? 0;
  open = { element, anchor, holder, offset: element.offsetTop - edge, isSeen: false };
  follow(open);
  (element.querySelector<HTMLElement>("[autofocus], button, input") ?? element).focus();
  return true;
}

function place(element: HTMLElement, anchor: HTMLElement | null): void {
  const at = anchor?.getBoundingClientRect() ?? new DOMRect(innerWidth / 2, innerHeight / 2, 0, 0);
  const { width, height } = element.getBoundingClientRect();
  const isBelow = at.bottom + GAP + height <= innerHeight || at.top < height + GAP;
  const top = isBelow ? at.bottom + GAP : at.top - GAP - height;
  const left = Math.min(Math.max(GAP, at.right - width), innerWidth - width - GAP);
  element.style.top = `${Math.max(GAP, Math.min(top, innerHeight - height - GAP))}px`;
  element.style.left = `${Math.max(GAP, left)}px`;
}

/**
 * Goes along with what it stands beside, and is put away once that is out of view.
 *
 * Looked at with every frame while something is open: what comes below a row moves it without a scroll.
 */
function follow(opened: Open): void {
  const { element, holder, offset } = opened;
  if (open !== opened || holder === null) return;
  const { top, bottom } = holder.getBoundingClientRect();
  const view = holder.closest("[data-scroller]")?.getBoundingClientRect();
  const isInView = bottom > (view?.top ?? 0) && top < (view?.bottom ?? innerHeight);
  opened.isSeen ||= isInView;
  if (!holder.isConnected || (opened.isSeen && !isInView)) {
    closePopover();
    return;
  }
  const lowest = innerHeight - element.offsetHeight - GAP;
  element.style.top = `${Math.max(GAP, Math.min(top + offset, lowest))}px`;
  requestAnimationFrame(() => follow(opened));
}

/** A row's button may be invisible once its row has lost the focus: then the row itself. */
function focusTarget(anchor: HTMLElement | null): HTMLElement | null {
  if (anchor?.isConnected !== true) return null;
  return anchor.closest<HTMLElement>(".message") ?? anchor;
}

function arrows(event: KeyboardEvent, element: HTMLElement): void {
  const columns = Number(element.dataset.columns ?? 1);
  const steps: Record<string, number> = {
    ArrowDown: columns,
    ArrowUp: -columns,
    ...(columns > 1 && { ArrowRight: 1, ArrowLeft: -1 }),
  };
  const step = steps[event.key];
  if (step === undefined) return;
  const buttons = [...element.querySelectorAll<HTMLElement>("button")];
  const here = buttons.indexOf(document.activeElement as HTMLElement);
  if (here === -1) return;
  event.preventDefault();
  buttons[Math.min(Math.max(0, here + step), buttons.length - 1)]?.focus();
}

document.addEventListener(
  "keydown",
  (event) => {
    if (open === null) return;
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      closePopover();
    } else {
      arrows(event, open.element);
    }
  },
  { capture: true },
);
document.addEventListener("pointerdown", (event) => {
  if (open === null) return;
  const target = event.target as Node;
  if (!open.element.contains(target) && !open.anchor?.contains(target)) closePopover();
});
