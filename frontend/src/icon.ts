import { html, type TemplateResult } from "lit";
import { unsafeSVG } from "lit/directives/unsafe-svg.js";
import {
  ChevronDown,
  CircleAlert,
  Clock3,
  Copy,
  EyeOff,
  type IconNode,
  Link,
  LogOut,
  RefreshCw,
  Reply,
  WifiOff,
} from "lucide";

/*
 * Drawn from the script and not from the sprite of the templates: "you are offline" must not have
 * to fetch its icon.
 */
const SHAPES = {
  copy: shapesOf(Copy),
  error: shapesOf(CircleAlert),
  hidden: shapesOf(EyeOff),
  link: shapesOf(Link),
  logout: shapesOf(LogOut),
  offline: shapesOf(WifiOff),
  pending: shapesOf(Clock3),
  reconnect: shapesOf(RefreshCw),
  reply: shapesOf(Reply),
  unfold: shapesOf(ChevronDown),
};

/** The icons that elements may show. */
export type IconName = keyof typeof SHAPES;

/** An icon; decoration only, so it always stands beside words or in a named button. */
export function icon(name: IconName): TemplateResult {
  return html`<svg
    class="icon"
    aria-hidden="true"
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    stroke-width="2"
    stroke-linecap="round"
    stroke-linejoin="round"
  >
    ${unsafeSVG(SHAPES[name])}
  </svg>`;
}

/** Markup of a drawing that comes with the script; nothing a person wrote ever passes here. */
function shapesOf(node: IconNode): string {
  return node
    .map(([tag, attributes]) => {
      const pairs = Object.entries(attributes).map(([key, value]) => `${key}="${value}"`);
      return `<${tag} ${pairs.join(" ")}/>`;
    })
    .join("");
}
