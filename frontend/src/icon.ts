import { html, type TemplateResult } from "lit";
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
const DRAWINGS = {
  assistant: drawingOf(Sparkles),
  check: drawingOf(Check),
  close: drawingOf(X),
  copy: drawingOf(Copy),
  delete: drawingOf(Trash2),
  delivered: drawingOf(CheckCheck),
  down: drawingOf(ArrowDown),
  edit: drawingOf(Pencil),
  error: drawingOf(CircleAlert),
  hidden: drawingOf(EyeOff),
  file: drawingOf(FileText),
  link: drawingOf(Link),
  logout: drawingOf(LogOut),
  more: drawingOf(Ellipsis),
  next: drawingOf(ChevronRight),
  offline: drawingOf(WifiOff),
  pending: drawingOf(Clock3),
  pin: drawingOf(Pin),
  play: drawingOf(Play),
  previous: drawingOf(ChevronLeft),
  react: drawingOf(SmilePlus),
  reconnect: drawingOf(RefreshCw),
  reply: drawingOf(Reply),
  search: drawingOf(Search),
  // Filled: an empty square beside words would be a box to tick.
  stop: drawingOf(Square, "currentColor"),
  thread: drawingOf(MessageSquareText),
  tool: drawingOf(Wrench),
  unfold: drawingOf(ChevronDown),
  unpin: drawingOf(PinOff),
};

/** The icons that elements may show. */
export type IconName = keyof typeof DRAWINGS;

/** An icon; decoration only, so it always stands beside words or in a named button. */
export function icon(name: IconName): TemplateResult {
  return DRAWINGS[name];
}

/**
 * A drawing that comes with the script, as a template of its own; nothing a person wrote ever passes
 * here. Made once per drawing: a list shows hundreds of icons, and each is then only a copy.
 */
function drawingOf(node: IconNode, fill = "none"): TemplateResult {
  const shapes = node.map(([tag, attributes]) => {
    const pairs = Object.entries(attributes).map(([key, value]) => `${key}="${value}"`);
    return `<${tag} ${pairs.join(" ")}/>`;
  });
  const markup = `<svg class="icon" aria-hidden="true" viewBox="0 0 24 24" fill="${fill}"
    stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"
    >${shapes.join("")}</svg>`;
  return html(Object.assign([markup], { raw: [markup] }));
}
