#!/bin/sh
# foreign-packages.sh ARCHITECTURE FOLDER PACKAGE…: unpacks Debian packages of another architecture (arm64, amd64) into FOLDER,
# in the versions that this machine's own sources of packages offer. Checked by apt as always, but nothing is installed, and the
# machine's own lists and architectures stay as they are; no root is needed. Does nothing when FOLDER has them already.
set -eu
architecture=$1
folder=$2
shift 2
stamp="$folder/.packages"
[ "$(cat "$stamp" 2>/dev/null || true)" != "$*" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/packages" "$folder"
: >"$work/status"
cat >"$work/apt.conf" <<EOF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::http::Timeout "20";
Acquire::Retries "1";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Dir::State::Lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
Dir::Log "$work";
EOF
export APT_CONFIG="$work/apt.conf"
# A source that has nothing for that architecture is no reason to fail.
apt-get update -qq >"$work/update.log" 2>&1 || true
if ! (cd "$work/packages" && apt-get download -qq "$@" >"$work/download.log" 2>&1); then
  cat "$work/update.log" "$work/download.log" >&2
  echo "foreign-packages: no $* for $architecture" >&2
  exit 3
fi
for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$folder"; done
echo "$*" >"$stamp"
