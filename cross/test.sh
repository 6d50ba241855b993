#!/usr/bin/env bash
# Tests a build for another processor by emulation, on demand and before a release
# (it takes too long for every commit):
#
#   cross/test.sh TARGET [--no-text]
#
# For every target: the frames that bench/arm draws are read as on this machine, to
# the last unit of work, and the beltscan of cross/build.sh starts, makes codes and
# reads them, and tells of the items of a synthetic belt. For aarch64 besides: the unit
# tests of the reader, and the networks for text say what onnxruntime said on x86-64
# (tests/ocr_models.rs, within 5e-5). --no-text leaves the networks out.
#
# ARMv6 code runs here on an ARMv7 processor, since Debian's C library for armhf is
# made for that; that our own is ARMv6 is told by its attributes.
set -euo pipefail
# shellcheck source=cross/toolchain.sh
. "$(dirname "$0")/toolchain.sh"

[ $# -ge 1 ] || die "usage: cross/test.sh TARGET [--no-text]"
text=yes
flavour=text
if [ "${2:-}" = --no-text ]; then text="" flavour=no-text; fi
cross_target "$1"
need "${emulate[0]:-true}" qemu-user
work="$cross_root/target/cross-test/$target"
rm -rf "$work"
mkdir -p "$work"

step() { printf '\n== %s\n' "$*"; }

step "the same reads as on this machine"
frames="$cross_root/target/cross-frames"
draw_frames "$frames"
cd "$cross_root/bench/arm"
cargo run --locked --release --bin frames -- digest "$frames"/*.pgm >"$work/here"
"${compile[@]}" --locked --profile dist --bin frames "${build[@]}" >&2
"${emulate[@]}" "target/$target/dist/frames" digest "$frames"/*.pgm >"$work/there"
# Names, codes, units of work, and what is whole numbers; the last column has what
# is measured (corners, quality), to the last bit.
diff <(cut -f1-4 "$work/here") <(cut -f1-4 "$work/there") || die "not the same reads"
same="$(comm -12 <(sort "$work/here") <(sort "$work/there") | wc -l)"
printf '%s frames: reads and work the same in all, corners and quality to the last bit in %s\n' \
  "$(wc -l <"$work/here")" "$same"

if [ "$target" = aarch64-unknown-linux-gnu ]; then
  step "unit tests of the reader"
  # Fewer cases of each property than natively: they run some thirty times slower.
  cd "$cross_root"
  PROPTEST_CASES="${PROPTEST_CASES:-16}" cargo test --locked --profile dist --package beltscan-reader \
    --lib "${build[@]}"
  if [ -n "$text" ]; then
    step "the networks beside onnxruntime"
    cargo test --locked --profile dist --no-default-features --features ocr \
      --test ocr_models "${build[@]}"
  fi
fi

step "smoke run"
cd "$cross_root"
binary="target/$target/packages/$flavour/beltscan"
[ -x "$binary" ] || die "$binary is missing: cross/build.sh $target comes first"
run=("${emulate[@]}" "$binary")
"${run[@]}" --version
for number in 1 2 3; do
  "${run[@]}" make "smoke run $number" -o "$work/$number.png"
  said="$("${run[@]}" read --no-ocr "$work/$number.png")"
  case "$said" in
    *"smoke run $number"*) ;;
    *) die "a code that says \"smoke run $number\" was read as: $said" ;;
  esac
done
# The synthetic belt through camera, reader, tracker and outbox to a file. Emulated
# code would be late for its frames, and on a busy machine leave items unread.
cat >"$work/belt.toml" <<TOML
[camera]
source = "belt"
width = 640
height = 480
fps = 30
[camera.belt]
seed = 7
items = 4
real-time = false
[read]
deadline-ms = 2000
[service]
state-dir = "$work/state"
[output.file]
path = "$work/events.jsonl"
TOML
"${run[@]}" run --config "$work/belt.toml"
events="$(grep -c . "$work/events.jsonl")"
[ "$events" -eq 4 ] || die "4 items passed, $events were told of"
echo "4 items passed, 4 events"
if [ "$target" = arm-unknown-linux-gnueabihf ]; then
  readelf -A "$binary" | grep -q 'Tag_CPU_arch: v6' || die "no ARMv6 code"
  echo "ARMv6 code"
fi
step "passed"
