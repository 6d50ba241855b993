#!/usr/bin/env bash
# Counts the instructions that a frame costs on another processor, by emulation,
# beside zxing-cpp's default reader built for the same processor:
#
#   cross/cost.sh [--no-text] [TARGET…]
#
# Without TARGET aarch64 and ARMv7. --no-text leaves the printed field out, for
# which the whole of Beltscan has to be built. Needs qemu-user (the static one takes
# no plugins), cmake, a C compiler and those of cross/build.sh.
#
# A picture is read twice and four times; half the difference is what a reading
# costs once all buffers stand. Of each kind there are five frames: reads are those
# of all five together, instructions are means.
set -euo pipefail
# shellcheck source=cross/toolchain.sh
. "$(dirname "$0")/toolchain.sh"

text=yes
targets=()
for argument in "$@"; do
  case "$argument" in
    --no-text) text="" ;;
    -*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    *) targets+=("$argument") ;;
  esac
done
[ ${#targets[@]} -gt 0 ] || targets=(aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf)

need cmake cmake
need cc gcc
need qemu-aarch64 qemu-user
work="$cross_root/target/cross-cost"
mkdir -p "$work"
cc -O2 -shared -fPIC -o "$work/insns.so" "$cross_root/cross/insns.c"
frames="$cross_root/target/cross-frames"
draw_frames "$frames"

# instructions COMMAND…: how many it took; the command's output is dropped.
instructions() {
  "${emulate[0]}" -plugin "$work/insns.so" "${emulate[@]:1}" "$@" 2>&1 >/dev/null |
    awk '/^instructions: /{print $2; found = 1} END{exit !found}'
}

# of_one PROGRAM BEFORE… PICTURE: what one reading takes.
of_one() {
  local picture="${*: -1}" before=("${@:1:$#-1}")
  local twice four
  twice="$(instructions "${before[@]}" 2 "$picture")"
  four="$(instructions "${before[@]}" 4 "$picture")"
  echo $(((four - twice) / 2))
}

millions() { awk -v n="$1" 'BEGIN{printf "%.2f", n / 1e6}'; }

for wanted in "${targets[@]}"; do
  cross_target "$wanted"
  # To compare with: counted the same way.
  [ ${#emulate[@]} -gt 0 ] || emulate=(qemu-x86_64)
  cd "$cross_root/bench/arm"
  "${compile[@]}" --locked --profile dist --features zxing --bins "${build[@]}" >&2
  programs="$cross_root/bench/arm/target/$target/dist"

  printf '\n%s, millions of instructions for a frame of 1280x720\n\n' "$target"
  printf '| frame | Beltscan reads | zxing-cpp reads | Beltscan | zxing-cpp | ratio |\n|---|---|---|---|---|---|\n'
  for frame in empty-flat empty-belt 1-code 4-codes 40-codes 4-blurred; do
    # Means over the frames of this kind.
    count=0 ours=0 theirs=0 ours_reads=0 theirs_reads=0
    for picture in "$frames/cost-$frame"-*.pgm; do
      count=$((count + 1))
      said="$("${emulate[@]}" "$programs/frames" read 1 "$picture")"
      ours_reads=$((ours_reads + ${said% codes}))
      said="$("${emulate[@]}" "$programs/zxing" 1 "$picture")"
      theirs_reads=$((theirs_reads + ${said% codes}))
      ours=$((ours + $(of_one "$programs/frames" read "$picture")))
      theirs=$((theirs + $(of_one "$programs/zxing" "$picture")))
    done
    printf '| %s | %s | %s | %s | %s | %s |\n' "$frame" "$ours_reads" "$theirs_reads" \
      "$(millions $((ours / count)))" "$(millions $((theirs / count)))" \
      "$(awk -v a="$ours" -v b="$theirs" 'BEGIN{printf "%.2f", a / b}')"
  done

  if [ -n "$text" ]; then
    cd "$cross_root"
    "${compile[@]}" --locked --profile dist --example text_lines "${build[@]}" \
      --no-default-features --features ocr >&2
    for times in 2 4; do
      for _ in $(seq $times); do
        printf '%s\tascii\tLOT [A-Z][0-9]{6}\n' "$cross_root/bench/arm/line.png"
      done >"$work/lines-$times"
    done
    program="target/$target/dist/examples/text_lines"
    twice="$(instructions "$program" "$work/lines-2")"
    four="$(instructions "$program" "$work/lines-4")"
    printf '| a printed field | 1 | – | %s | – | – |\n' "$(millions $(((four - twice) / 2)))"
  fi
done
