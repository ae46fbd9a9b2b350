/** A suggestion fills the form of one's status; nothing is sent yet. Without a script there are none. */
export function offerPresets(form: HTMLFormElement): void {
  const presets = form.querySelector<HTMLElement>("[data-presets]");
  if (presets === null) return;
  presets.hidden = false;
  for (const preset of presets.querySelectorAll<HTMLElement>("button")) {
    preset.addEventListener("click", () => {
      const { emoji = "", text = "", expires = "" } = preset.dataset;
      for (const [name, value] of Object.entries({ emoji, text, expires_in_s: expires })) {
        (form.elements.namedItem(name) as HTMLInputElement).value = value;
      }
    });
  }
}
