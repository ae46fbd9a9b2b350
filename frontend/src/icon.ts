import { html, type TemplateResult } from "lit";

/** An icon of the sprite; decoration only, so it always stands beside words or in a named button. */
export function icon(name: string): TemplateResult {
  const sprite = document.documentElement.dataset.icons ?? "/static/icons.svg";
  return html`<svg class="icon" aria-hidden="true"><use href=${`${sprite}#${name}`}></use></svg>`;
}
