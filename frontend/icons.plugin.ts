import { type IconNode, icons } from "lucide";
import type { Plugin } from "vite";

/**
 * Writes the icons that templates and elements use into one `icons.svg` of symbols.
 *
 * Pages point at it with `<use href="…/icons.svg#name">`, so no icon is part of the JavaScript and
 * Django templates need no copy of any drawing.
 */
export function iconSprite(names: Record<string, keyof typeof icons>): Plugin {
  return {
    name: "commsite-icon-sprite",
    apply: "build",
    generateBundle() {
      const symbols = Object.entries(names).map(([id, name]) => symbol(id, icons[name]));
      this.emitFile({
        type: "asset",
        fileName: "icons.svg",
        source: `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`,
      });
    },
  };
}

function symbol(id: string, node: IconNode): string {
  const shapes = node.map(([tag, attributes]) => {
    const pairs = Object.entries(attributes).map(([key, value]) => `${key}="${value}"`);
    return `<${tag} ${pairs.join(" ")}/>`;
  });
  return `<symbol id="${id}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${shapes.join("")}</symbol>`;
}
