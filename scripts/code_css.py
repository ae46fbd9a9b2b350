"""Writes frontend/src/styles/code.css: the colours of code, from two styles of Pygments.

Where a colour is too pale or too dark for its ground it is moved towards black or white until it
has the contrast of WCAG 2 for text (4.5 : 1) on every ground that code may stand on.
"""

import colorsys
import sys
from pathlib import Path

from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from conversation.code_colours import CLASSES  # noqa: E402

TARGET = ROOT / "frontend" / "src" / "styles" / "code.css"
LIGHT, DARK = "xcode", "github-dark"
# The least favourable grounds of tokens.css: --neutral-4 of either theme.
LIGHT_GROUND, DARK_GROUND = (0xE9, 0xEC, 0xEC), (0x20, 0x27, 0x2B)
LEAST_CONTRAST = 4.6
# What both styles say by a background, which is not taken over.
OURS = {"gi": "var(--success)", "gd": "var(--danger)"}
HEAD = """\
/* Made by scripts/code_css.py from Pygments' styles {light} and {dark}; the classes are its short names of tokens.
   Each colour keeps 4.5 : 1 on the grounds of code. */
"""

Rgb = tuple[int, ...]


def contrast(one: Rgb, other: Rgb) -> float:
    """The ratio of WCAG 2: 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def readable(colour: str, ground: Rgb) -> str:
    """The colour, or the nearest of its hue that can be read on the ground."""
    rgb: Rgb = tuple(bytes.fromhex(colour))
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in rgb))
    step = -0.01 if _luminance(ground) > 0.5 else 0.01
    while contrast(rgb, ground) < LEAST_CONTRAST:
        light += step
        rgb = tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue, light, saturation))
    return "#" + bytes(rgb).hex()


def css() -> str:
    """The whole file."""
    light, dark = get_style_by_name(LIGHT), get_style_by_name(DARK)
    looks: dict[tuple[str, ...], list[str]] = {}
    for kind, name in STANDARD_TYPES.items():
        if name in CLASSES:
            looks.setdefault(
                _look(name, light.style_for_token(kind), dark.style_for_token(kind)), []
            ).append(name)
    looks.pop((), None)
    rules = [
        ",\n".join(f".code .{name}" for name in sorted(names))
        + " {\n"
        + "".join(f"  {line}\n" for line in look)
        + "}\n"
        for look, names in sorted(looks.items(), key=lambda item: sorted(item[1]))
    ]
    return HEAD.format(light=LIGHT, dark=DARK) + "\n".join(rules)


def _look(name: str, light: dict[str, str], dark: dict[str, str]) -> tuple[str, ...]:
    lines = []
    if name in OURS:
        lines.append(f"color: {OURS[name]};")
    elif light["color"] and dark["color"]:
        one, other = readable(light["color"], LIGHT_GROUND), readable(dark["color"], DARK_GROUND)
        lines.append(f"color: light-dark({one}, {other});")
    if light["bold"] or dark["bold"]:
        lines.append("font-weight: 600;")
    if light["italic"] or dark["italic"]:
        lines.append("font-style: italic;")
    return tuple(lines)


if __name__ == "__main__":
    TARGET.write_text(css())
