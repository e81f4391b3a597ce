#!/bin/sh
# install-packages.sh [SECTION…]: installs the packages of scripts/packages.txt that are missing (Debian 12), of the
# sections named, or of all. Does nothing, and needs neither root nor network, when all of them are there.
set -eu
here=$(dirname "$0")
wanted=$(awk -v sections="$*" -v here="[$(dpkg --print-architecture)]" '
  BEGIN { count = split(sections, names, " "); for (i in names) asked[names[i]] = 1; wanted = count == 0 }
  /^# -- / { name = $3; sub(":", "", name); wanted = count == 0 || name in asked; next }
  wanted { sub("#.*", ""); if (NF == 1 || $2 == here) print $1 }' "$here/packages.txt")
missing=""
for package in $wanted; do
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
echo "installing:$missing" >&2
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1; then SUDO=sudo; else
    echo "install-packages: these packages are missing and only root can install them:$missing" >&2
    exit 3
  fi
else
  SUDO=""
fi
export DEBIAN_FRONTEND=noninteractive
# A package that starts a service would start one here; the policy file says no while we install.
policy=/usr/sbin/policy-rc.d
made_policy=""
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $SUDO tee "$policy" >/dev/null
  $SUDO chmod 755 "$policy"
  made_policy=yes
fi
trap '[ -z "$made_policy" ] || $SUDO rm -f "$policy"' EXIT
$SUDO apt-get update -qq
# shellcheck disable=SC2086 -- the list is words on purpose
$SUDO apt-get install -y -qq --no-install-recommends $missing >&2
