#!/bin/sh
# Installs Deno and a Vulkan driver for its WebGPU. It can be run repeatedly: it changes only what is
# missing, and prints nothing if nothing is.
set -eu

deno_pinned=2.9.6 # installed if Deno is missing or too old
deno_minimum=2.8.0 # the oldest Deno that passes the tests

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    fail "this needs root, and sudo is not installed; as root, run: $*"
  fi
}

# Runs apt-get non-interactively and prints only errors.
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get -qq "$@" >/dev/null
}

# Installs Debian packages. $1 is the purpose, for the message.
apt_install() {
  purpose=$1
  shift
  say "installing $* ($purpose)"
  apt update || say "the package lists could not be updated; continuing with the existing ones"
  apt install --yes --no-install-recommends "$@"
}

# Succeeds if the Deno on PATH is $deno_minimum or newer.
deno_is_recent() {
  have deno || return 1
  version=$(deno --version 2>/dev/null | sed -n '1s/^deno \([0-9.]*\).*/\1/p')
  [ -n "$version" ] || return 1
  printf '%s %s\n' "$version" "$deno_minimum" | tr . ' ' |
    awk '{ exit !($1 * 1000000 + $2 * 1000 + $3 >= $4 * 1000000 + $5 * 1000 + $6) }'
}

# Prints the first npm prefix whose bin folder is on PATH, so that the calling shell finds what is
# installed there. Prefixes that the current user can write to come before those that need root.
npm_prefix_on_path() {
  for owner in user root; do
    for prefix in "$(npm prefix --global 2>/dev/null)" /usr/local "${HOME:-/root}/.local"; do
      case ":$PATH:" in *":$prefix/bin:"*) ;; *) continue ;; esac
      if [ "$owner" = root ] || { mkdir -p "$prefix/lib/node_modules" "$prefix/bin" &&
        [ -w "$prefix/lib/node_modules" ] && [ -w "$prefix/bin" ]; } 2>/dev/null; then
        printf '%s %s\n' "$owner" "$prefix"
        return
      fi
    done
  done
}

install_deno() {
  case "$(uname -s)" in
    MINGW* | MSYS* | CYGWIN*)
      fail "Deno $deno_minimum or newer is needed: install it with winget install DenoLand.Deno"
      ;;
  esac
  if ! have npm; then
    have apt-get || fail "Deno $deno_minimum or newer is needed, and npm to install it: install" \
      "Node.js with npm, or Deno itself (https://docs.deno.com/runtime/getting_started/installation)"
    apt_install "to install Deno" npm
  fi
  choice=$(npm_prefix_on_path)
  [ -n "$choice" ] || fail "npm's bin folder $(npm prefix --global)/bin is not on PATH:" \
    "add it to PATH, then run this again"
  prefix=${choice#* }
  say "installing Deno $deno_pinned (npm package deno) into $prefix"
  if [ "${choice%% *}" = user ]; then
    npm install --global --prefix "$prefix" --loglevel=error --no-update-notifier \
      "deno@$deno_pinned" >/dev/null
  else
    as_root npm install --global --prefix "$prefix" --loglevel=error --no-update-notifier \
      "deno@$deno_pinned" >/dev/null
  fi
  hash -r
  deno_is_recent || fail "Deno $deno_pinned is now in $prefix/bin, but PATH finds" \
    "$(command -v deno || echo none) first: remove or update that one (deno upgrade)"
}

# Asks Deno for a Vulkan adapter, as the program does. Listing drivers is not enough: a listed driver
# may not work (no such card, or no device file in a container).
has_vulkan_adapter() {
  NO_COLOR=1 DENO_WEBGPU_BACKEND=vulkan deno eval --quiet \
    'Deno.exit(await navigator.gpu?.requestAdapter() ? 0 : 1)' >/dev/null 2>&1
}

install_vulkan() {
  have apt-get || fail "no Vulkan adapter found: install your card's Vulkan driver, or Mesa's" \
    "software driver (Fedora: mesa-vulkan-drivers vulkan-loader; Arch: vulkan-swrast" \
    "vulkan-icd-loader; Alpine: mesa-vulkan-swrast vulkan-loader)"
  apt_install "Mesa's Vulkan drivers, including the software driver" mesa-vulkan-drivers libvulkan1
  has_vulkan_adapter || fail "Mesa's Vulkan drivers are installed, but Vulkan finds no adapter;" \
    "'vulkaninfo --summary' (Debian package vulkan-tools) shows what the driver reports"
}

deno_is_recent || install_deno

# On macOS and Windows, Deno's WebGPU uses Metal and Direct3D 12, which are part of the system.
if [ "$(uname -s)" = Linux ]; then
  has_vulkan_adapter || install_vulkan
fi
