"""Seeded lines of label text with the faults of print and camera."""

import io
import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

DEJAVU = "/usr/share/fonts/truetype/dejavu/"
LIBERATION = "/usr/share/fonts/truetype/liberation/"
NOTO = "/usr/share/fonts/opentype/noto/"
LATIN = [DEJAVU + name for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf",
                                    "DejaVuSansCondensed.ttf", "DejaVuSerif.ttf")]
LATIN += [LIBERATION + name for name in ("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf", "LiberationMono-Regular.ttf",
                                         "LiberationMono-Bold.ttf", "LiberationSansNarrow-Regular.ttf",
                                         "LiberationSerif-Regular.ttf")]
CHINESE = [NOTO + name for name in ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc", "NotoSerifCJK-Regular.ttc")]
FAULTS = ("clean", "dot matrix", "ribbon", "low resolution", "curved", "glare", "blur 1", "blur 2")

UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
WORDS = "Best before Serial Batch Made Net weight Store cool Ship to Qty Part No Order Box of Rev Keep dry Material".split()
CHINESE_WORDS = ("生产日期 有效期至 批号 保质期 净含量 合格 产品名称 规格 数量 重量 请存放于阴凉干燥处 中国制造 检验员 "
                 "食品生产许可证 贮存条件 常温 配料 地址 电话 上海市 北京市 广东省 有限公司 质量 标准 编号 型号 出厂").split()


def field(rng):
    """A field with a pattern: (text, pattern, characters)."""
    kind = rng.randrange(7)
    pick = lambda letters, n: "".join(rng.choice(letters) for _ in range(n))
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2024, 2031)
    if kind == 0:
        n = rng.randint(5, 8)
        return "LOT " + pick(UPPER + "0123456789", n), "LOT [A-Z0-9]{5,8}", "ascii"
    if kind == 1:
        return f"{day:02}.{month:02}.{year}", r"(0[1-9]|[12]\d|3[01])\.(0[1-9]|1[0-2])\.20\d\d", "digits"
    if kind == 2:
        return f"EXP {day:02} {MONTHS[month - 1]} {year}", r"EXP \d\d (" + "|".join(MONTHS) + r") 20\d\d", "ascii"
    if kind == 3:
        return f"SN {pick(UPPER, 2)}-{pick('0123456789', 6)}", r"SN [A-Z]{2}-\d{6}", "ascii"
    if kind == 4:
        return f"{pick(UPPER, 3)}{pick('0123456789', 4)}{pick(UPPER, 1)}", r"[A-Z]{3}\d{4}[A-Z]", "ascii"
    if kind == 5:
        return f"{year}-{month:02}-{day:02}", r"20\d\d-\d\d-\d\d", "digits"
    return "(01)" + pick("0123456789", 14), r"\(01\)\d{14}", "ascii"


def free(rng):
    """Latin text without a pattern."""
    words = [rng.choice(WORDS) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.6:
        words.append(str(rng.randint(1, 99999)))
    return " ".join(words), "", "ascii"


def chinese(rng):
    words = [rng.choice(CHINESE_WORDS) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.5:
        words.append(str(rng.randint(1, 99999)))
    return " ".join(words), "", "full"


def draw(rng, text, fonts, height):
    """Dark letters on light ground, the letters about 0.7 of `height` high."""
    font = ImageFont.truetype(rng.choice(fonts), max(8, round(height * 0.74)))
    left, top, right, bottom = font.getbbox(text)
    margin = round(height * rng.uniform(0.08, 0.2))
    width = right - left + 2 * margin
    line = max(bottom - top + 2 * margin, round(height * 0.9))
    picture = Image.new("L", (width, line), 255)
    ImageDraw.Draw(picture).text((margin - left, (line - (bottom - top)) // 2 - top), text, 0, font)
    return picture


def gaussian(grey, sigma):
    reach = max(1, math.ceil(3 * sigma))
    weights = np.exp(-np.arange(-reach, reach + 1) ** 2 / (2 * sigma * sigma))
    weights /= weights.sum()
    padded = np.pad(grey, reach, mode="edge")
    for axis in (0, 1):
        padded = np.apply_along_axis(lambda v: np.convolve(v, weights, "same"), axis, padded)
    return padded[reach:-reach, reach:-reach].astype(np.float32)


def dots(picture, rng):
    """Printed by needles: round dots on a grid of 9 to 11 a line."""
    width, height = picture.size
    pitch = height / rng.uniform(15, 19)
    columns, rows = round(width / pitch), round(height / pitch)
    small = np.asarray(picture.resize((columns, rows), Image.BOX))
    factor = 6
    dot = Image.new("L", (columns * factor, rows * factor), 255)
    pen = ImageDraw.Draw(dot)
    radius = factor * rng.uniform(0.48, 0.62)
    for y, x in zip(*np.nonzero(small < 140)):
        cx, cy = (x + 0.5) * factor + rng.uniform(-0.4, 0.4), (y + 0.5) * factor + rng.uniform(-0.4, 0.4)
        pen.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), 0)
    return dot.resize((width, height), Image.BOX)


def ribbon(ink, rng):
    """A worn thermal ribbon: letters fade in patches and along streaks."""
    height, width = ink.shape
    patches = np.asarray(Image.fromarray(np.array([[rng.uniform(0.35, 1) for _ in range(max(2, width // 40))] for _ in range(3)],
                                                  np.float32)).resize((width, height), Image.BICUBIC))
    ink = ink * np.clip(patches, 0.25, 1)
    for _ in range(rng.randint(1, 3)):
        y = rng.randrange(height)
        ink[y:y + max(1, height // 40)] *= rng.uniform(0.0, 0.5)
    return ink


def curved(picture, rng):
    """On a bottle: the line bows by a part of its height, its ends are compressed."""
    width, height = picture.size
    bow = height * rng.uniform(0.08, 0.18) * rng.choice((-1, 1))
    half = rng.uniform(0.7, 1.0)
    out = Image.new("L", (width, round(height + abs(bow))), 255)
    source, target = np.asarray(picture, np.float32), np.full((out.height, width), 255, np.float32)
    for x in range(width):
        u = (x + 0.5) / width * 2 - 1
        sx = (math.asin(u * math.sin(half)) / half + 1) / 2 * width - 0.5
        a = int(min(max(sx, 0), width - 1))
        b = min(a + 1, width - 1)
        column = source[:, a] + (source[:, b] - source[:, a]) * min(max(sx - a, 0), 1)
        shift = bow * (1 - u * u) + max(-bow, 0)
        y = np.arange(out.height) - shift
        target[:, x] = np.interp(y, np.arange(height), column, 255, 255)
    return Image.fromarray(target.astype(np.uint8))


def line(rng, text, fonts, fault):
    """A picture of the line, grey, as a camera may have seen it."""
    height = rng.choice((22, 28, 36, 48, 64))
    if fault == "low resolution":
        height = rng.choice((11, 12, 13, 14))
    # Drawn twice as large, so that no fault meets the font's own pixels.
    picture = draw(rng, text, fonts, height * 2)
    if fault == "dot matrix":
        picture = dots(picture, rng)
    if fault == "curved":
        picture = curved(picture, rng)
    picture = picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)), Image.BOX)
    ink = 1 - np.asarray(picture, np.float32) / 255
    if fault == "ribbon":
        ink = ribbon(ink, rng)
    paper, black = rng.uniform(150, 235), rng.uniform(15, 70)
    grey = paper + (black - paper) * ink
    rows, columns = grey.shape
    grey *= np.linspace(rng.uniform(0.85, 1.1), rng.uniform(0.85, 1.1), columns, dtype=np.float32)
    # A stroke is about a ninth of the letters' height.
    stroke = height * 0.7 / 9
    if fault.startswith("blur"):
        length = stroke * float(fault.split()[1])
        if rng.random() < 0.5:
            grey = gaussian(grey, length / 2)
        else:
            n = max(1, round(length))
            padded = np.pad(grey, ((0, 0), (n, n)), mode="edge")
            grey = np.mean([padded[:, n + k - n // 2:][:, :columns] for k in range(n)], axis=0)
    if fault == "glare":
        y, x = np.mgrid[0:rows, 0:columns]
        cx, cy = rng.uniform(0, columns), rng.uniform(0, rows)
        reach = rows * rng.uniform(0.4, 0.9)
        grey = grey + rng.uniform(70, 150) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * reach * reach))
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(1, 5), grey.shape)
    picture = Image.fromarray(np.clip(grey + noise + 0.5, 0, 255).astype(np.uint8))
    if rng.random() < 0.3:
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=rng.randint(60, 90))
        picture = Image.open(data).convert("L")
    return picture


def lines(seed, count, kind, fault):
    """(picture, text, pattern, characters), the same for the same arguments."""
    rng = random.Random(f"{seed} {kind} {fault}")
    make = {"field": field, "free": free, "chinese": chinese}[kind]
    fonts = CHINESE if kind == "chinese" else LATIN
    for _ in range(count):
        text, pattern, characters = make(rng)
        yield line(rng, text, fonts, fault), text, pattern, characters
