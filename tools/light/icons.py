"""The theme's icons: a font of those few that the site uses, in place of two copies of all of them."""

import base64
import io
import re

from fontTools import subset, ttLib

NAME = re.compile(r"\bfa-([a-z][a-z0-9-]*)")
STYLE = '.fa-{name}::before{{content:"\\{code}"}}'
# Beside the drawings that the theme's script would have put in their place, these have the same size.
RULES = (
    ".fa-solid{display:inline-block;font:var(--fa-font-solid);line-height:1;text-align:center;"
    "-webkit-font-smoothing:antialiased}"
)


def codes(script):
    """Return {name: code point in hexadecimal} of all icons in the theme's script, other names of an icon included."""
    rows = re.findall(r'"?([\w-]+)"?:\[\d+,\d+,\[([^\]]*)\],"([0-9a-f]{4,5})","M', script)
    found = {}
    for name, others, code in rows:
        found.update(dict.fromkeys([name, *re.findall(r'"([\w-]+)"', others)], code))
    return found


def used(texts, script):
    """Return {name: code} of the icons that are named in pages or scripts."""
    known = codes(script)
    names = {name for text in texts for name in NAME.findall(text)}
    return {name: known[name] for name in sorted(names & known.keys())}


def font(path, characters):
    """Return the font, as an address that holds it, with these characters alone."""
    whole = ttLib.TTFont(path)
    options = subset.Options(flavor="woff", layout_features=[], name_IDs=[], notdef_outline=True)
    cutter = subset.Subsetter(options)
    cutter.populate(text=characters)
    cutter.subset(whole)
    whole.flavor = "woff"
    written = io.BytesIO()
    whole.save(written)
    return "data:font/woff;base64," + base64.b64encode(written.getvalue()).decode()


def sheet(path, icons, styles):
    """Return the style sheet of the icons: a font with those named, and with those that ``styles`` draws from it."""
    drawn = {chr(int(code, 16)) for code in icons.values()}
    drawn |= {character for character in styles if "\ue000" <= character <= "\uf8ff"}
    drawn |= {chr(int(code, 16)) for code in re.findall(r"\\(f[0-9a-f]{3}|e[0-9a-f]{3})\b", styles)}
    source = font(path, "".join(sorted(drawn)))
    face = f"@font-face{{font-family:Font Awesome\\ 6 Free;font-weight:900;src:url({source})}}"
    return face + RULES + "".join(STYLE.format(name=name, code=code) for name, code in icons.items())
