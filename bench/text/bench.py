#!/usr/bin/env python3
"""Text read by beltscan beside others, on seeded lines.

    cargo build --release --example text_lines
    python3 -m venv /tmp/v && /tmp/v/bin/pip install -r bench/text/requirements.txt
    /tmp/v/bin/python bench/text/bench.py --lines 1000

Fonts: Debian's fonts-dejavu, fonts-liberation and fonts-noto-cjk. Peers: the same
models run by onnxruntime with the usual recipe (squeezed to 320 columns, best
path); RapidOCR's recognition of a line, with its stock model and with ours, if the
package `rapidocr` is installed; tesseract if it is installed (all lines of a cell
in one run, the mean of its processor time). None of them is told a field's
pattern. One thread each; times are processor time. Exact lines are counted with
spaces as printed, and without any; with them the 95 % interval of Wilson.
"""

import argparse
import importlib.util
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

import lines as seeded

ROOT = Path(__file__).resolve().parents[2]


def wilson(hits, n):
    z, p = 1.96, hits / n
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [100 * (centre + sign * spread) / (1 + z * z / n) for sign in (-1, 1)]


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        before, row[0] = row[0], i + 1
        for j, y in enumerate(b):
            before, row[j + 1] = row[j + 1], min(row[j + 1] + 1, row[j] + 1, before + (x != y))
    return row[-1]


class Onnx:
    name = "onnxruntime"

    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        path = ROOT / "models" / "recognise.onnx"
        self.run = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        text = next(e.value for e in onnx.load(path).metadata_props if e.key == "character")
        self.characters = [""] + text.split("\n") + [" "]

    def read(self, rows):
        for picture, *_ in rows:
            start = time.thread_time()
            width = min(math.ceil(48 * picture.width / picture.height), 320)
            grey = np.asarray(picture.resize((width, 48), Image.BILINEAR), np.float32)
            plane = np.zeros((1, 3, 48, 320), np.float32)
            plane[..., :width] = grey / 127.5 - 1
            best = self.run.run(None, {"x": plane})[0][0].argmax(axis=1)
            text, last = "", 0
            for at in best:
                if at and at != last:
                    text += self.characters[at]
                last = at
            yield text, None, (time.thread_time() - start) * 1e3


class Beltscan:
    name = "beltscan"

    def __init__(self, program):
        self.program = program

    def read(self, rows):
        with tempfile.TemporaryDirectory() as folder:
            manifest = []
            for i, (picture, _, pattern, characters) in enumerate(rows):
                path = f"{folder}/{i}.png"
                picture.save(path)
                manifest.append(f"{path}\t{characters}\t{pattern}\n")
            (Path(folder) / "manifest").write_text("".join(manifest))
            out = subprocess.run([self.program, f"{folder}/manifest"], check=True, capture_output=True, text=True)
            self.notes = out.stderr
        for row in out.stdout.split("\n")[:-1]:
            text, confidence, ms = row.split("\t")
            yield text, float(confidence), float(ms)


class Rapid:
    def __init__(self, stock):
        from rapidocr import RapidOCR

        self.name = "RapidOCR, stock" if stock else "RapidOCR, the same models"
        params = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                  "Global.log_level": "error", "Global.text_score": 0.0}
        if not stock:
            params["Rec.model_path"] = str(ROOT / "models/recognise.onnx")
        self.engine = RapidOCR(params=params)

    def read(self, rows):
        for picture, *_ in rows:
            colour = np.repeat(np.asarray(picture)[:, :, None], 3, axis=2)
            start = time.thread_time()
            found = self.engine(colour, use_det=False, use_cls=False, use_rec=True)
            ms = (time.thread_time() - start) * 1e3
            yield (found.txts or [""])[0], None, ms


class Tesseract:
    name = "tesseract"

    def read(self, rows):
        with tempfile.TemporaryDirectory() as folder:
            paths = [f"{folder}/{i}.png" for i in range(len(rows))]
            for path, (picture, *_) in zip(paths, rows):
                scale = 48 / picture.height
                picture.resize((round(picture.width * scale), 48), Image.BICUBIC).save(path)
            (Path(folder) / "list").write_text("\n".join(paths))
            language = "chi_sim" if rows[0][3] == "full" else "eng"
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            out = subprocess.run(["tesseract", f"{folder}/list", "-", "--psm", "7", "-l", language], capture_output=True, text=True,
                                 env={"OMP_THREAD_LIMIT": "1", "PATH": "/usr/bin:/bin"})
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            ms = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3 / len(rows)
        # Each page ends with a form feed.
        for page in out.stdout.split("\f")[:len(rows)]:
            yield page.strip(), None, ms


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--lines", type=int, default=1000, help="lines a cell")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--kinds", default="field,free,chinese")
    arguments.add_argument("--faults", default=",".join(seeded.FAULTS))
    arguments.add_argument("--program", default=str(ROOT / "target/release/examples/text_lines"))
    arguments.add_argument("--peers", default="onnxruntime,rapidocr,tesseract")
    arguments.add_argument("--wrong", action="store_true", help="print what beltscan read wrong")
    options = arguments.parse_args()
    readers = [Beltscan(options.program)]
    if "onnxruntime" in options.peers:
        readers.append(Onnx())
    if "rapidocr" in options.peers and importlib.util.find_spec("rapidocr"):
        readers += [Rapid(True), Rapid(False)]
    if "tesseract" in options.peers and shutil.which("tesseract"):
        readers.append(Tesseract())
    sure = []
    print("| kind | fault | reader | lines | exact % | 95 % interval | without spaces % | interval | CER % | ms median |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for kind in options.kinds.split(","):
        for fault in options.faults.split(","):
            rows = list(seeded.lines(options.seed, options.lines, kind, fault))
            for reader in readers:
                exact = bare = edits = letters = 0
                times = []
                for (_, text, *_), (read, confidence, ms) in zip(rows, reader.read(rows), strict=True):
                    exact += read == text
                    same = read.replace(" ", "") == text.replace(" ", "")
                    bare += same
                    edits += distance(read.replace(" ", ""), text.replace(" ", ""))
                    letters += len(text.replace(" ", ""))
                    times.append(ms)
                    if confidence is not None:
                        sure.append((confidence, read == text))
                        if options.wrong and read != text:
                            print(f"    {text!r} read as {read!r} {confidence:.3f}", file=sys.stderr)
                n = len(rows)
                low, high = wilson(exact, n)
                low2, high2 = wilson(bare, n)
                print(f"| {kind} | {fault} | {reader.name} | {n} | {100 * exact / n:.1f} | {low:.1f}-{high:.1f} | "
                      f"{100 * bare / n:.1f} | {low2:.1f}-{high2:.1f} | {100 * edits / letters:.2f} | "
                      f"{sorted(times)[n // 2]:.2f} |", flush=True)
    print("\n" + readers[0].notes)
    print("| confidence | lines | said | right % |\n|---|---|---|---|")
    edges = [0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.01]
    for low, high in zip(edges, edges[1:]):
        part = [(c, right) for c, right in sure if low <= c < high]
        if part:
            said = sum(c for c, _ in part) / len(part)
            print(f"| {low}-{min(high, 1)} | {len(part)} | {100 * said:.1f} | {100 * sum(r for _, r in part) / len(part):.1f} |")


if __name__ == "__main__":
    main()
