#!/usr/bin/env bash
# Makes the Debian package. The same commit gives the same bytes.
#
#   cross/deb/build.sh [--target TRIPLE] [--binary FILE] [--host-binary FILE] [--out DIR] [--fast]
#
#   --target       what it is for: x86_64-unknown-linux-gnu (or whatever this
#                  machine is, if not given), aarch64-unknown-linux-gnu,
#                  armv7-unknown-linux-gnueabihf, arm-unknown-linux-gnueabihf
#                  (ARMv6: the package is called beltscan-armv6, since Debian calls
#                  both armhf)
#   --binary       the program, built already; without it the program is built
#                  here, with the profile `dist`, with text and without the demo
#   --host-binary  a program of the same commit that runs on this machine; it
#                  writes the man pages and completions. Without it the program
#                  itself does, through qemu-user if need be.
#   --out          where the package and its SBOM go; target/debian if not given
#   --fast         pack quickly rather than tightly, for tests
#
# Prints the path of the package, the last line of its output.
#
# It needs cargo-deb. Where it is not installed, this puts it below target/tools
# (`cargo install cargo-deb --locked --root target/tools`).
set -euo pipefail
cd "$(dirname "$0")/../.."

die() { echo "cross/deb/build.sh: $*" >&2; exit 1; }

target="" binary="" host_binary="" out=target/debian fast=()
while [ $# -gt 0 ]; do
  case $1 in
    --target | --binary | --host-binary | --out)
      [ $# -ge 2 ] || die "$1 wants a value"
      case $1 in
        --target) target=$2 ;;
        --binary) binary=$2 ;;
        --host-binary) host_binary=$2 ;;
        --out) out=$2 ;;
      esac
      shift 2
      ;;
    --fast) fast=(--fast) && shift ;;
    *) die "$1 is not known; the head of this file says what is" ;;
  esac
done
[ -n "$target" ] || target=$(rustc -vV | sed -n 's/^host: //p')

case $target in
  x86_64-unknown-linux-gnu) machine="X86-64" tools=x86_64-linux-gnu qemu=qemu-x86_64 ;;
  aarch64-unknown-linux-gnu) machine="AArch64" tools=aarch64-linux-gnu qemu=qemu-aarch64 ;;
  armv7-unknown-linux-gnueabihf) machine="ARM" tools=arm-linux-gnueabihf qemu=qemu-arm ;;
  arm-unknown-linux-gnueabihf) machine="ARM" tools=arm-linux-gnueabihf qemu=qemu-arm ;;
  *) die "no package is made for $target; the head of this file says for what one is" ;;
esac

cargo_deb=$(command -v cargo-deb || true)
if [ -z "$cargo_deb" ]; then
  cargo_deb=$PWD/target/tools/bin/cargo-deb
  [ -x "$cargo_deb" ] || cargo install cargo-deb --locked --version 3.8.0 --root target/tools >&2
fi

if [ -z "$binary" ]; then
  # Nothing in the program tells where it was built.
  export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$PWD=/beltscan --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
  cargo build --locked --profile dist --target "$target" --bin beltscan \
    --no-default-features --features ocr >&2
  binary=${CARGO_TARGET_DIR:-target}/$target/dist/beltscan
fi
[ -f "$binary" ] || die "$binary is not there"

# What was asked for, or a package would install and not start.
LC_ALL=C readelf -h "$binary" | grep -q "Machine:.* $machine\$" ||
  die "$binary is not built for $target"
case $target in
  armv7-*) LC_ALL=C readelf -A "$binary" | grep -q "Tag_CPU_arch: v7" || die "$binary is not ARMv7" ;;
  arm-*) LC_ALL=C readelf -A "$binary" | grep -q "Tag_CPU_arch: v6" || die "$binary is not ARMv6" ;;
esac
# The package depends on the glibc of Debian 12 (Cargo.toml).
newest=$(LC_ALL=C readelf -V "$binary" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
[ "$(printf '%s\nGLIBC_2.36\n' "$newest" | sort -V | tail -n 1)" = GLIBC_2.36 ] ||
  die "$binary needs ${newest}, and the package promises that GLIBC_2.36 is enough"

# cargo-deb takes what is built from a target folder: this one has nothing else.
stage=$PWD/${CARGO_TARGET_DIR:-target}/deb-stage/$target
rm -rf "$stage"
built=$stage/$target/release
mkdir -p "$built/man" "$built/completions" "$out"
install -m 755 "$binary" "$built/beltscan"
if LC_ALL=C readelf -S "$built/beltscan" | grep -Eq ' \.(symtab|debug_)'; then
  strip=$(command -v "$tools-strip" || command -v llvm-strip || true)
  [ -n "$strip" ] || die "$binary has debug symbols, and neither $tools-strip nor llvm-strip is there (apt-get install binutils-${tools//_/-})"
  "$strip" --strip-all "$built/beltscan"
fi

if [ -z "$host_binary" ]; then
  host_binary=$built/beltscan
fi
# Runs it, by emulation if this machine cannot.
tell() {
  if "$host_binary" --version >/dev/null 2>&1; then
    "$host_binary" "$@"
  else
    local emulator
    emulator=$(command -v "$qemu-static" || command -v "$qemu" || true)
    [ -n "$emulator" ] || die "$host_binary does not run here: give --host-binary, or install qemu-user-static"
    "$emulator" -L "/usr/$tools" "$host_binary" "$@"
  fi
}
tell man "$built/man"
gzip -n9 "$built"/man/*.1
for shell in bash zsh fish; do
  tell completions "$shell" >"$built/completions/$shell"
done

# Of the commit, so that it does not matter when the package is made.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
cross/deb/inventory --target "$target" --licences "$built/licences-crates" --sbom "$stage/sbom.cdx.json"
gzip -n9 "$built/licences-crates"

variant=()
[ "$target" != arm-unknown-linux-gnueabihf ] || variant=(--variant armv6)
package=$(CARGO_TARGET_DIR=$stage "$cargo_deb" --no-build --no-strip --no-dbgsym --locked --quiet \
  --target "$target" "${variant[@]}" "${fast[@]}" --output "$out/")
[ -f "$package" ] || die "cargo-deb made no package: $package"
cp "$stage/sbom.cdx.json" "${package%.deb}.cdx.json"
echo "$package"
