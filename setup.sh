#!/bin/sh
# Makes this machine ready: Deno, and a Vulkan adapter for its WebGPU. Run it as often as you like:
# what already works is left alone, and nothing is printed when nothing is missing.
set -eu

deno_pinned=2.9.6 # installed where Deno is absent or too old
deno_minimum=2.8.0 # the oldest Deno that the program's tests pass on

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

# Runs apt-get without questions; only what goes wrong is printed.
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get -qq "$@" >/dev/null
}

# Installs Debian packages; $1 says what for.
apt_install() {
  purpose=$1
  shift
  say "installing $* ($purpose)"
  apt update || say "the package lists could not be renewed; going on with those at hand"
  apt install --yes --no-install-recommends "$@"
}

# Succeeds where the Deno on PATH is $deno_minimum or newer.
deno_is_recent() {
  have deno || return 1
  version=$(deno --version 2>/dev/null | sed -n '1s/^deno \([0-9.]*\).*/\1/p')
  [ -n "$version" ] || return 1
  printf '%s %s\n' "$version" "$deno_minimum" | tr . ' ' |
    awk '{ exit !($1 * 1000000 + $2 * 1000 + $3 >= $4 * 1000000 + $5 * 1000 + $6) }'
}

# Prints the first npm prefix whose bin folder is on PATH, so that the shell which called this
# script finds what is installed there; prefixes this user may write to come before those of root.
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
  deno_is_recent || fail "Deno $deno_pinned is now in $prefix/bin, but PATH leads to" \
    "$(command -v deno || echo none) first: remove or update that one (deno upgrade)"
}

# Asks Deno itself, as the program will, whether Vulkan gives an adapter: drivers listed by the
# loader need not work (no such card, no device file in a container), so listing them proves nothing.
has_vulkan_adapter() {
  NO_COLOR=1 DENO_WEBGPU_BACKEND=vulkan deno eval --quiet \
    'Deno.exit(await navigator.gpu?.requestAdapter() ? 0 : 1)' >/dev/null 2>&1
}

install_vulkan() {
  have apt-get || fail "no Vulkan adapter was found: install your card's Vulkan driver, or Mesa's" \
    "software driver (Fedora: mesa-vulkan-drivers vulkan-loader; Arch: vulkan-swrast" \
    "vulkan-icd-loader; Alpine: mesa-vulkan-swrast vulkan-loader)"
  apt_install "Mesa's Vulkan drivers, the software one included" mesa-vulkan-drivers libvulkan1
  has_vulkan_adapter || fail "Mesa's Vulkan drivers are installed, yet Vulkan gives no adapter;" \
    "'vulkaninfo --summary' (Debian package vulkan-tools) says what the driver reports"
}

deno_is_recent || install_deno

# Deno's WebGPU runs on Metal on macOS and on Direct3D 12 on Windows, which are part of the system.
if [ "$(uname -s)" = Linux ]; then
  has_vulkan_adapter || install_vulkan
fi
