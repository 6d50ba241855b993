#!/usr/bin/env python3
"""Text found and read in whole frames, 1280 by 720, on seeded frames.

    cargo build --release --example text_frames
    /tmp/v/bin/python bench/text/frames.py --frames 100

A frame is a belt (a soft gradient, noise, seams) with one to three labels at any
angle, two to four lines on each. Counted: lines of which the text was found where
it was printed, spaces left out. Told beside it: the same frames without the search
for relief, the time that onnxruntime needs for the same detector, and RapidOCR
with its stock models and with these if the package `rapidocr` is installed. One thread each; times are processor time,
medians over the frames.
"""

import argparse
import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw, ImageFont

import lines as seeded
from bench import ROOT, wilson

WIDTH, HEIGHT = 1280, 720


def frame(rng):
    """(picture, [(text, x, y)]): where the centre of each line lies."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    belt = rng.uniform(50, 110) + rng.uniform(-20, 20) * x / WIDTH + rng.uniform(-20, 20) * y / HEIGHT
    belt[:, rng.randrange(WIDTH)::rng.randint(300, 600)] -= 18
    picture = Image.fromarray(np.clip(belt, 0, 255).astype(np.uint8))
    truth, taken = [], []
    for _ in range(rng.randint(1, 3)):
        count, height = rng.randint(2, 4), rng.randint(18, 40)
        made = [rng.choice((seeded.field, seeded.free))(rng)[0] for _ in range(count)]
        font = ImageFont.truetype(rng.choice(seeded.LATIN), height)
        wide = round(max(font.getlength(text) for text in made) + 2 * height)
        high = round(count * height * 1.6 + height)
        label = Image.new("L", (wide, high), rng.randint(190, 240))
        pen = ImageDraw.Draw(label)
        places = []
        for i, text in enumerate(made):
            left, top, right, bottom = pen.textbbox((height, height * (0.6 + 1.6 * i)), text, font)
            pen.text((height, height * (0.6 + 1.6 * i)), text, rng.randint(15, 60), font)
            places.append((text, (left + right) / 2 - wide / 2, (top + bottom) / 2 - high / 2))
        angle = rng.choice((0, rng.uniform(-180, 180), rng.uniform(-12, 12)))
        mask = Image.new("L", label.size, 255).rotate(angle, Image.BICUBIC, expand=True)
        turned = label.rotate(angle, Image.BICUBIC, expand=True)
        if turned.width > WIDTH - 20 or turned.height > HEIGHT - 20:
            continue
        for _ in range(50):
            left, top = rng.randint(10, WIDTH - 10 - turned.width), rng.randint(10, HEIGHT - 10 - turned.height)
            box = (left, top, left + turned.width, top + turned.height)
            if all(box[2] < t[0] or t[2] < box[0] or box[3] < t[1] or t[3] < box[1] for t in taken):
                break
        else:
            continue
        taken.append(box)
        picture.paste(turned, (left, top), mask)
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        for text, dx, dy in places:
            truth.append((text, left + turned.width / 2 + dx * cos + dy * sin, top + turned.height / 2 - dx * sin + dy * cos))
    grey = np.asarray(picture, np.float32) + np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(1, 4), (HEIGHT, WIDTH))
    return Image.fromarray(np.clip(grey + 0.5, 0, 255).astype(np.uint8)), truth


def right(truth, read):
    """How many lines were read right where they are."""
    bare = lambda text: text.replace(" ", "")
    return sum(any(bare(t) == bare(text) and math.hypot(x - u, y - v) < 25 for text, u, v in read) for t, x, y in truth)


def beltscan(program, how, paths):
    out = subprocess.run([program, how, *paths], check=True, capture_output=True, text=True)
    read, times = {path: [] for path in paths}, []
    for row in out.stdout.splitlines():
        path, *rest = row.split("\t")
        if rest[0] == "ms":
            times.append((float(rest[1]), float(rest[2])))
        else:
            read[path].append((rest[3], float(rest[0]), float(rest[1])))
    return read, times, out.stderr


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--frames", type=int, default=100)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--program", default=str(ROOT / "target/release/examples/text_frames"))
    options = arguments.parse_args()
    rng = random.Random(options.seed)
    frames = [frame(rng) for _ in range(options.frames)]
    total = sum(len(truth) for _, truth in frames)
    middle = lambda values: sorted(values)[len(values) // 2]
    print("| reader | lines right % | 95 % interval | detection ms | in all ms |\n|---|---|---|---|---|")

    def tell(name, hits, detection, whole):
        low, high = wilson(hits, total)
        print(f"| {name} | {100 * hits / total:.1f} of {total} | {low:.1f}-{high:.1f} | {detection} | {whole} |", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/{i:04}.png" for i in range(len(frames))]
        for path, (picture, _) in zip(paths, frames):
            picture.save(path)
        for how in ("relief", "whole"):
            read, times, notes = beltscan(options.program, how, paths)
            hits = sum(right(truth, read[path]) for path, (_, truth) in zip(paths, frames))
            tell(f"beltscan, {how}", hits, f"{middle([t[0] for t in times]):.1f}", f"{middle([t[1] for t in times]):.1f}")
            print(notes, file=sys.stderr)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.log_severity_level = 3
    run = onnxruntime.InferenceSession(str(ROOT / "models/detect.onnx"), settings, providers=["CPUExecutionProvider"])
    for height, width in ((416, 640), (192, 320)):
        plane = np.zeros((1, 3, height, width), np.float32)
        times = []
        for _ in range(20):
            start = time.thread_time()
            run.run(None, {"x": plane})
            times.append((time.thread_time() - start) * 1e3)
        print(f"| onnxruntime, the network alone at {width}x{height} | | | {middle(times):.1f} | |")
    try:
        from rapidocr import RapidOCR
    except ImportError:
        return
    threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
    tiny = {"Det.model_path": str(ROOT / "models/detect.onnx"), "Rec.model_path": str(ROOT / "models/recognise.onnx")}
    for name, models in (("RapidOCR, stock", {}), ("RapidOCR, the same models", tiny)):
        engine = RapidOCR(params={**threads, **models, "Global.log_level": "error"})
        hits, times = 0, []
        for picture, truth in frames:
            start = time.thread_time()
            found = engine(np.asarray(picture.convert("RGB"))[:, :, ::-1])
            times.append((time.thread_time() - start) * 1e3)
            boxes = found.boxes if found.boxes is not None else []
            hits += right(truth, [(text, *np.mean(box, axis=0)) for text, box in zip(found.txts or [], boxes)])
        tell(name, hits, "", f"{middle(times):.1f}")


if __name__ == "__main__":
    main()
