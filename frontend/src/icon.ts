import { html, type TemplateResult } from "lit";
import { unsafeSVG } from "lit/directives/unsafe-svg.js";
import {
  ArrowDown,
  Check,
  CheckCheck,
  ChevronDown,
  ChevronLeft,
  ChevronRight,
  CircleAlert,
  Clock3,
  Copy,
  Ellipsis,
  EyeOff,
  FileText,
  type IconNode,
  Link,
  LogOut,
  MessageSquareText,
  Pencil,
  Pin,
  PinOff,
  Play,
  RefreshCw,
  Reply,
  Search,
  SmilePlus,
  Sparkles,
  Square,
  Trash2,
  WifiOff,
  Wrench,
  X,
} from "lucide";

/*
 * Drawn from the script and not from the sprite of the templates: "you are offline" must not have
 * to fetch its icon.
 */
const SHAPES = {
  assistant: shapesOf(Sparkles),
  check: shapesOf(Check),
  close: shapesOf(X),
  copy: shapesOf(Copy),
  delete: shapesOf(Trash2),
  delivered: shapesOf(CheckCheck),
  down: shapesOf(ArrowDown),
  edit: shapesOf(Pencil),
  error: shapesOf(CircleAlert),
  hidden: shapesOf(EyeOff),
  file: shapesOf(FileText),
  link: shapesOf(Link),
  logout: shapesOf(LogOut),
  more: shapesOf(Ellipsis),
  next: shapesOf(ChevronRight),
  offline: shapesOf(WifiOff),
  pending: shapesOf(Clock3),
  pin: shapesOf(Pin),
  play: shapesOf(Play),
  previous: shapesOf(ChevronLeft),
  react: shapesOf(SmilePlus),
  reconnect: shapesOf(RefreshCw),
  reply: shapesOf(Reply),
  search: shapesOf(Search),
  stop: shapesOf(Square),
  thread: shapesOf(MessageSquareText),
  tool: shapesOf(Wrench),
  unfold: shapesOf(ChevronDown),
  unpin: shapesOf(PinOff),
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
