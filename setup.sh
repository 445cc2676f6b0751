#!/bin/sh
# Installs Deno and a Vulkan driver for its WebGPU. It can be run repeatedly: it changes only what is
# missing, and prints nothing if nothing is, except advice on a slow driver. With --driver, it
# installs the newest Mesa even if a Vulkan driver works.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

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

# Opens a Vulkan adapter with Deno, as the program does, and prints advice on its driver if there is
# any. Listing drivers is not enough: a listed driver may not work (no such card, or no device file
# in a container).
open_vulkan_adapter() {
  (cd "$here" && NO_COLOR=1 DENO_WEBGPU_BACKEND=vulkan deno eval --quiet --no-lock "
    import { Gpu } from './lib/gpu/device.ts';
    import { driverAdvice } from './lib/gpu/driver_advice.ts';
    const advice = driverAdvice((await Gpu.open()).adapter);
    if (advice !== null) console.log(advice);
    Deno.exit(0);") 2>/dev/null
}

# Prints the entries of deb822 sources that name the release $1, changed to the suite $2.
suite_stanzas() {
  awk -v release="$1" -v suite="$2" '
    BEGIN { RS = ""; FS = "\n" }
    {
      release_named = main_named = disabled = 0
      text = ""
      for (i = 1; i <= NF; i++) {
        line = $i
        if (line ~ /^#/) continue
        words = split(line, word, /[ \t]+/)
        for (w = 2; w <= words; w++) {
          if (word[1] == "Suites:" && word[w] == release) release_named = 1
          if (word[1] == "Components:" && word[w] == "main") main_named = 1
          if (word[1] == "Enabled:" && word[w] == "no") disabled = 1
        }
        if (word[1] == "Suites:") line = "Suites: " suite
        text = text line "\n"
      }
      if (release_named && main_named && !disabled) print text
    }'
}

# The same for sources with one entry per line.
suite_lines() {
  awk -v release="$1" -v suite="$2" '
    $1 == "deb" && / main( |$)/ && !/cdrom:/ {
      for (i = 2; i <= NF; i++) if ($i == release) { $i = suite; print; next }
    }'
}

# Prints those of the given files that exist, with an empty line after each.
contents() {
  for file in "$@"; do
    if [ -f "$file" ]; then cat "$file" && echo; fi
  done
}

# Installs packages in the newest version that the distribution offers, backports included. The
# sources and package lists that this needs are temporary. $1 is the folder of the configured
# sources, $2 the file, $3 the release.
apt_install_newest() {
  parts=$1 list=$2 release=$3
  shift 3
  suite=$release-backports
  work=$(mktemp -d)
  mkdir -p "$work/sources" "$work/lists/partial"
  if [ -d "$parts" ]; then cp -R "$parts/." "$work/sources"; fi
  if ! contents "$parts"/*.sources "$parts"/*.list "$list" | grep -v '^#' | grep -q -- "$suite"; then
    contents "$parts"/*.sources | suite_stanzas "$release" "$suite" >"$work/sources/added.sources"
    contents "$parts"/*.list "$list" | suite_lines "$release" "$suite" >"$work/sources/added.list"
  fi
  chmod -R a+rX "$work" # apt downloads as another user
  say "installing the newest $* of $release and $suite"
  set -- -o Dir::Etc::SourceParts="$work/sources" -o Dir::State::Lists="$work/lists" \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    install --yes --no-install-recommends --target-release "$suite" "$@"
  apt -o Dir::Etc::SourceParts="$work/sources" -o Dir::State::Lists="$work/lists" \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= update && apt "$@"
  status=$?
  as_root rm -r "$work"
  return "$status"
}

# Installs Mesa's Vulkan drivers: of the backports if the package sources name the release of the
# distribution, otherwise the version of the configured sources.
install_mesa() {
  sourceparts='' sourcelist='' VERSION_CODENAME=''
  if have apt-config; then
    eval "$(apt-config shell sourceparts Dir::Etc::SourceParts/d sourcelist Dir::Etc::SourceList/f)"
  fi
  [ -r /etc/os-release ] && VERSION_CODENAME=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  if [ -n "$sourceparts" ] && [ -n "$VERSION_CODENAME" ]; then
    apt_install_newest "$sourceparts" "$sourcelist" "$VERSION_CODENAME" \
      mesa-vulkan-drivers libvulkan1 && return
    say "the backports could not be used; installing the version of the configured sources"
  fi
  apt_install "Mesa's Vulkan drivers, including the software driver" mesa-vulkan-drivers libvulkan1
}

install_vulkan() {
  have apt-get || fail "no Vulkan adapter found: install your card's Vulkan driver, or Mesa's" \
    "software driver (Fedora: mesa-vulkan-drivers vulkan-loader; Arch: vulkan-swrast" \
    "vulkan-icd-loader; Alpine: mesa-vulkan-swrast vulkan-loader)"
  install_mesa
  if have dpkg-query; then
    say "installed Mesa $(dpkg-query --show --showformat='${Version}' mesa-vulkan-drivers)"
  fi
  open_vulkan_adapter >/dev/null || fail "Mesa's Vulkan drivers are installed, but Vulkan finds no" \
    "adapter; 'vulkaninfo --summary' (Debian package vulkan-tools) shows what the driver reports"
}

case ${1:-} in
  '' | --driver) ;;
  *) fail "unknown argument $1; the only one is --driver" ;;
esac

deno_is_recent || install_deno

# On macOS and Windows, Deno's WebGPU uses Metal and Direct3D 12, which are part of the system.
if [ "$(uname -s)" = Linux ]; then
  if [ "${1:-}" != --driver ] && advice=$(open_vulkan_adapter); then
    [ -z "$advice" ] || say "$advice"
  else
    install_vulkan
  fi
fi
