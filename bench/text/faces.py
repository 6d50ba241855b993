#!/usr/bin/env python3
"""Makes the tables of src/ocr/faces.rs: how wide the characters of a face are.

    /tmp/v/bin/python bench/text/faces.py [--bench]

With --bench it says instead how far characters that look alike differ in the fonts
of the bench: the ink in which they differ, drawn at the same place, in parts of
what each has.
Fonts: all Latin ones under /usr/share/fonts but those of the bench. For the table
as it is these were Debian's b612, courier-prime, league-mono, ocr-a, ocr-b, urw-base35,
agave, anonymous-pro, crosextra-carlito, firacode, freefont, go, hack, inconsolata,
jetbrains-mono, karla, lato, mononoki, open-sans, quicksand, roboto and routed-gothic.
"""

import os
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import lines as seeded

KNOWN = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
GROUPS = 16
# The bench's own, other scripts, slanted ones, bitmaps.
LEFT_OUT = ("dejavu", "liberation", "/noto/", "Noto", "wqy", "dotgothic", "Symbol", "Dingbat", "D050000L",
            "StandardSymbols", "karlatamil", "Chancery", "Z003", "Oblique", "Ital", "italic", "spleen", "3270")


def box(font, character):
    mask = font.getmask(character)
    left, top, right, bottom = mask.getbbox()
    return np.array(mask).reshape(mask.size[1], mask.size[0])[top:bottom, left:right] / 255


def middle(zero):
    height, width = zero.shape
    return zero[int(height * 0.4):int(height * 0.6), int(width * 0.35):int(width * 0.65)].mean()


def drawn(path, character):
    picture = Image.new("L", (384, 256))
    ImageDraw.Draw(picture).text((64, 64), character, 255, ImageFont.truetype(path, 128))
    return np.asarray(picture, np.float32)


def alike():
    for path in seeded.LATIN:
        differ = []
        for pair in ("O0", "I1", "B8", "S5", "Z2"):
            a, b = (drawn(path, character) for character in pair)
            differ.append(f"{pair} {2 * np.abs(a - b).sum() / (a.sum() + b.sum()):.2f}")
        print(f"{Path(path).stem:30}", *differ)


def main():
    if "--bench" in sys.argv:
        return alike()
    families = {}
    for path in sorted(Path("/usr/share/fonts").rglob("*")):
        if path.suffix not in (".ttf", ".otf", ".t1") or any(part in str(path) for part in LEFT_OUT):
            continue
        try:
            font = ImageFont.truetype(str(path), 128)
            boxes = [box(font, character) for character in KNOWN]
        except (OSError, TypeError, ValueError):
            continue
        widths = np.log([shape.shape[1] for shape in boxes])
        family = re.sub("(Bold|Thin|Regular)$", "", re.split(r"[-_ .\[]", os.path.basename(path))[0])
        families.setdefault(family, []).append((np.clip(widths - widths.mean(), -2.2, 2), middle(boxes[0]) > 0.3))
    points = np.array([widths for fonts in families.values() for widths, _ in fonts])
    dotted = np.array([dots for fonts in families.values() for _, dots in fonts])
    weights = np.array([len(fonts) ** -0.5 for fonts in families.values() for _ in fonts])
    rng = np.random.default_rng(1)
    best = None
    for _ in range(30):
        centres = points[rng.choice(len(points), GROUPS, replace=False, p=weights / weights.sum())]
        for _ in range(40):
            nearest = ((points[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
            centres = np.array([np.average(points[nearest == k], axis=0, weights=weights[nearest == k])
                                if (nearest == k).any() else points[rng.integers(len(points))] for k in range(GROUPS)])
        away = (weights * ((points[:, None] - centres[None]) ** 2).sum(-1).min(1)).sum()
        if best is None or away < best[0]:
            best = away, centres, nearest
    _, centres, nearest = best
    print(f"// {len(points)} fonts of {len(families)} families")
    for k in np.argsort([-weights[nearest == k].sum() for k in range(GROUPS)]):
        part = nearest == k
        share = min(max(np.average(dotted[part], weights=weights[part]), 0.05), 0.95)
        print("    [" + ", ".join(str(round(100 * value)) for value in centres[k]) + f"], // dotted {share:.2f}")
    own = np.sqrt(np.average((points - centres[nearest]) ** 2, axis=0, weights=weights))
    print("// own:", " ".join(f"{character} {spread:.2f}" for character, spread in zip(KNOWN, own)))


if __name__ == "__main__":
    main()
