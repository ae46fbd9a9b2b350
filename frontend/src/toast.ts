const SHOWN_MS = 2_400;
let timer = 0;

/** Says briefly that something was done; screen readers hear it too. */
export function showToast(text: string): void {
  const toast = document.querySelector<HTMLElement>("#toast");
  if (toast === null) return;
  toast.textContent = text;
  window.clearTimeout(timer);
  timer = window.setTimeout(() => {
    toast.textContent = "";
  }, SHOWN_MS);
}
