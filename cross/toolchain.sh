# What it takes to build for another processor and to run what was built. To be
# sourced by the scripts of this folder; `cross_target TARGET` sets
#
#   target   the target, as rustc names it
#   gnu      Debian's name for it: prefix of its tools, folder of its libraries
#   compile  the command that builds, a `cargo build` (array)
#   build    the arguments that choose the target (array)
#   emulate  the command that runs what was built (array, empty for this machine)
#
# and exports the compilers. What has to be fetched goes to a cache folder:
#
#   BELTSCAN_CROSS_CACHE   the folder; target/cross-cache if it is not set
#   BELTSCAN_CROSS_RUST    rustup or debian; if it is not set rustup is asked
#                          first, and Debian's packages serve where it has no
#                          standard library for the target
#
# shellcheck shell=bash disable=SC2034

cross_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cross_cache="${BELTSCAN_CROSS_CACHE:-$cross_root/target/cross-cache}"

# The newest glibc that a binary may ask for: Debian 12 has 2.36, and 2.34 is
# where its start-up code and its threads became one library.
cross_glibc=2.34
# ARMv6 is linked by zig, which lets the version be chosen.
cross_zig_glibc=2.31
zig_version=0.17.1
zigbuild_version=0.24.0

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# need PROGRAM PACKAGE: a program that must be there, and who brings it.
need() {
  command -v "$1" >/dev/null || die "$1 is missing: apt-get install $2"
}

cross_target() {
  target="$1"
  compile=(cargo build)
  build=(--target "$target")
  emulate=()
  local flags=() c_flags=()
  case "$target" in
    x86_64-unknown-linux-gnu)
      gnu=x86_64-linux-gnu
      [ "$(uname -m)" = x86_64 ] || die "$target is built on such a machine only"
      ;;
    aarch64-unknown-linux-gnu)
      gnu=aarch64-linux-gnu
      emulate=(qemu-aarch64 -L "/usr/$gnu")
      ;;
    armv7-unknown-linux-gnueabihf)
      gnu=arm-linux-gnueabihf
      emulate=(qemu-arm -L "/usr/$gnu")
      # rustc's target does without NEON; every ARMv7 board with a camera has it.
      flags=(-C target-feature=+neon)
      c_flags=(-mfpu=neon)
      ;;
    arm-unknown-linux-gnueabihf)
      gnu=arm-linux-gnueabihf
      emulate=(qemu-arm -L "/usr/$gnu")
      ;;
    *)
      die "no such target: $target (aarch64-unknown-linux-gnu, armv7-unknown-linux-gnueabihf, arm-unknown-linux-gnueabihf, x86_64-unknown-linux-gnu)"
      ;;
  esac
  # The same commit gives the same bytes wherever it is built, so no path of this
  # machine may stand in them.
  local home="${CARGO_HOME:-$HOME/.cargo}"
  flags+=("--remap-path-prefix=$cross_root=/beltscan" "--remap-path-prefix=$home=/cargo"
    "--remap-path-prefix=$cross_cache=/toolchain")
  # Nothing is thrown through SQLite and ring: tables for that are 0.08 MB.
  c_flags+=("-fno-asynchronous-unwind-tables" "-fno-unwind-tables")
  c_flags+=("-ffile-prefix-map=$cross_root=/beltscan" "-ffile-prefix-map=$home=/cargo")

  choose_rust
  local under="${target//-/_}"
  local upper="${under^^}"
  unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
  export "CARGO_TARGET_${upper}_RUSTFLAGS=${flags[*]}"
  export "CFLAGS_$under=${c_flags[*]}" "CXXFLAGS_$under=${c_flags[*]}"
  if [ "$target" = arm-unknown-linux-gnueabihf ]; then
    # The start-up files of Debian's compiler for armhf are ARMv7 code.
    fetch_zig
    compile=("$cross_cache/zig/bin/cargo-zigbuild" zigbuild)
    build=(--target "$target.$cross_zig_glibc" "${build[@]:2}")
  elif [ ${#emulate[@]} -gt 0 ]; then
    need "$gnu-gcc" "gcc-$gnu"
    need "$gnu-g++" "g++-$gnu"
    export "CARGO_TARGET_${upper}_LINKER=$gnu-gcc"
    export "CC_$under=$gnu-gcc" "CXX_$under=$gnu-g++" "AR_$under=$gnu-ar"
  fi
  [ ${#emulate[@]} -eq 0 ] || export "CARGO_TARGET_${upper}_RUNNER=${emulate[*]}"
}

# Finds a compiler with a standard library for the target.
choose_rust() {
  local from="${BELTSCAN_CROSS_RUST:-}"
  [ -z "$from" ] || [ "$from" = rustup ] || [ "$from" = debian ] ||
    die "BELTSCAN_CROSS_RUST is $from; it may be rustup or debian"
  if [ "$from" != debian ]; then
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] && return
    if command -v rustup >/dev/null && rustup target add "$target" 2>/dev/null; then return; fi
    [ "$from" != rustup ] || die "rustup has no standard library for $target"
    echo "rustup has no standard library for $target: Debian's compiler builds one" >&2
  fi
  fetch_debian_rust
  export RUSTC="$cross_cache/debian-rust/rustc"
  # build-std is an option of nightly compilers; Debian's is a stable one.
  export RUSTC_BOOTSTRAP=1
  build+=(-Zbuild-std=std,test)
}

# Debian's compiler for the web browsers, which is a recent one, with the sources
# of its standard library: unpacked, not installed.
fetch_debian_rust() {
  local folder="$cross_cache/debian-rust"
  [ -x "$folder/rustc" ] && return
  need apt-get apt
  need dpkg dpkg
  rm -rf "$folder"
  mkdir -p "$folder/packages"
  (
    cd "$folder/packages"
    std="$(apt-cache depends libstd-rust-web-dev | awk '/Depends: libstd-rust-web-/{print $2; exit}')"
    llvm="$(apt-cache depends "$std" | awk '/Depends: libllvm/{print $2; exit}')"
    apt-get -q download rustc-web "$std" libstd-rust-web-dev rust-web-src "$llvm"
    for package in *.deb; do dpkg -x "$package" "$folder"; done
  ) || die "Debian's rustc-web could not be fetched (is bookworm-security among apt's sources?)"
  rm -rf "$folder/packages" "$folder/usr/share"
  cat >"$folder/rustc" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH="$folder/usr/lib/x86_64-linux-gnu" exec "$folder/usr/bin/rustc" "\$@"
WRAPPER
  chmod +x "$folder/rustc"
}

fetch_zig() {
  local folder="$cross_cache/zig"
  [ -x "$folder/bin/cargo-zigbuild" ] || {
    need python3 "python3 python3-venv"
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" install -q "ziglang==$zig_version" "cargo-zigbuild==$zigbuild_version"
  }
  # cargo-zigbuild looks for the python that has ziglang.
  export PATH="$folder/bin:$PATH"
}

# glibc_of BINARY: the highest version of glibc that it asks for.
glibc_of() {
  readelf -W --dyn-syms "$1" | grep -oE '@GLIBC_[0-9.]+' | sed 's/.*_//' | sort -Vu | tail -1
}

# draw_frames FOLDER: the frames that builds for all targets read, drawn on this
# machine, since C libraries round sines differently.
draw_frames() {
  [ -e "$1/drawn" ] && return
  mkdir -p "$1"
  (cd "$cross_root/bench/arm" && cargo run --locked --release --bin frames -- draw "$1") >&2
  touch "$1/drawn"
}
