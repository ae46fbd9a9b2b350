const KEY = "commsite:details";

/** Opens and folds the details column; a wide page remembers, a narrow one starts folded. */
export function foldDetails(): void {
  const details = document.querySelector<HTMLElement>("#details");
  const toggle = document.querySelector<HTMLElement>("[data-details-toggle]");
  if (details === null || toggle === null) return;
  const isWide = window.matchMedia("(width >= 1200px)");

  const show = (isShown: boolean): void => {
    details.hidden = !isShown;
    details.parentElement?.toggleAttribute("data-folded", !isShown);
    toggle.setAttribute("aria-expanded", String(isShown));
  };
  const choose = (isShown: boolean): void => {
    show(isShown);
    if (isWide.matches) localStorage.setItem(KEY, isShown ? "shown" : "folded");
    if (!isShown) toggle.focus();
  };

  const start = (): void => show(isWide.matches && localStorage.getItem(KEY) !== "folded");
  start();
  isWide.addEventListener("change", start);
  toggle.addEventListener("click", () => choose(details.hasAttribute("hidden")));
  details.querySelector("[data-details-close]")?.addEventListener("click", () => choose(false));
  details.addEventListener("keydown", (event) => {
    if (event.key === "Escape") choose(false);
  });
}
