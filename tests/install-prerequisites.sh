#!/usr/bin/env bash
# Installs what the platform tests need beside the .NET SDK: a linker for NativeAOT and an emulator for arm64.
# For Debian; Ubuntu keeps arm64 packages elsewhere, so there the last step may fail. Installs only what is missing, and
# what is still missing makes those tests skip and say so.
set -euo pipefail

cross=/usr/aarch64-linux-gnu/lib
local=/usr/local/aarch64-linux-gnu/lib # tests/FastAttn.Platform.Tests/Fixtures/Arm64.cs looks there too

packages=()
command -v clang >/dev/null || command -v gcc >/dev/null || packages+=(gcc libc6-dev)
[ -e /usr/include/zlib.h ] || packages+=(zlib1g-dev)
command -v qemu-aarch64 >/dev/null || packages+=(qemu-user)
[ -e $cross/ld-linux-aarch64.so.1 ] || packages+=(libc6-arm64-cross)
[ -e $cross/libstdc++.so.6 ] || packages+=(libstdc++6-arm64-cross)

if [ ${#packages[@]} -eq 0 ] && [ -e $local/libssl.so.3 ]; then
  echo "All prerequisites are there."
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "There is no apt-get here. Debian's names for what is missing: ${packages[*]} libssl3:arm64" >&2
  exit 1
fi

as_root=(env DEBIAN_FRONTEND=noninteractive)
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "Only root can install ${packages[*]} libssl3:arm64." >&2; exit 1; }
  as_root=(sudo --non-interactive "${as_root[@]}")
fi

if [ ${#packages[@]} -gt 0 ]; then
  echo "Installing ${packages[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" </dev/null
fi

# xunit hashes with OpenSSL, which has no cross package. Its arm64 package is only unpacked, with package lists of its
# own: installing it would make this a system of two architectures and upgrade its x64 twin.
if [ ! -e $local/libssl.so.3 ]; then
  echo "Unpacking libssl3:arm64 to $local"
  work=$(mktemp -d)
  trap '"${as_root[@]}" rm -rf "$work"' EXIT
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  apt=("${as_root[@]}" apt-get -qq -o APT::Sandbox::User=root -o APT::Architecture=arm64 -o APT::Architectures=arm64
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache")
  "${apt[@]}" update
  (cd "$work" && { "${apt[@]}" download libssl3 2>/dev/null || "${apt[@]}" download libssl3t64; }) # t64 from Debian 13 on
  dpkg-deb -x "$work"/libssl3*.deb "$work/root"
  "${as_root[@]}" install -D -m 644 -t $local "$work"/root/usr/lib/aarch64-linux-gnu/lib{crypto,ssl}.so.3
fi
