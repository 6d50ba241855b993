#!/usr/bin/env bash
# Builds the beltscan of the packages for another processor:
#
#   cross/build.sh TARGET [--no-text]
#
# TARGET is aarch64-unknown-linux-gnu (64-bit Raspberry Pi OS and other arm64),
# armv7-unknown-linux-gnueabihf (32 bit, with NEON), arm-unknown-linux-gnueabihf
# (ARMv6: Raspberry Pi Zero and 1) or x86_64-unknown-linux-gnu. --no-text leaves
# the networks for printed text out. The last line says where the binary lies.
#
# Fails if the binary asks for a newer glibc than Debian 12 has, or is larger than
# it may be.
set -euo pipefail
# shellcheck source=cross/toolchain.sh
. "$(dirname "$0")/toolchain.sh"

# Most bytes with text and without: what a small board can spare.
most_with_text=20000000
most_without=7000000

usage() {
  sed -n '2,/^$/s/^#\( \|$\)//p' "$0" >&2
  exit 2
}

[ $# -ge 1 ] || usage
wanted="$1"
shift
features=ocr
most=$most_with_text
flavour=text
for argument in "$@"; do
  case "$argument" in
    --no-text) features="" most=$most_without flavour=no-text ;;
    *) usage ;;
  esac
done

cd "$cross_root"
cross_target "$wanted"
need readelf binutils
"${compile[@]}" --locked --profile dist --bin beltscan \
  "${build[@]}" --no-default-features --features "$features"

# Beside each other, so that one build does not overwrite the other's.
mkdir -p "target/$target/packages/$flavour"
binary="target/$target/packages/$flavour/beltscan"
cp "target/$target/dist/beltscan" "$binary"

size="$(stat -c %s "$binary")"
glibc="$(glibc_of "$binary")"
printf '%s, %s: %s bytes, needs glibc %s\n' "$target" "$flavour" "$size" "$glibc"
[ "$(printf '%s\n' "$glibc" "$cross_glibc" | sort -V | tail -1)" = "$cross_glibc" ] ||
  die "glibc $glibc is newer than $cross_glibc"
[ "$size" -le "$most" ] || die "larger than $most bytes"
echo "$binary"
