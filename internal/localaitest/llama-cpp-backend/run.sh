#!/bin/bash
# Starts the stand-in for the llama-cpp backend. Like the real run.sh it needs bash, grep,
# realpath, dirname and uname, so that a sandbox that hides them fails here too.
set -e

here=$(dirname "$(realpath "$0")")
if [ "$(uname)" != Linux ] || ! grep -q . /proc/cpuinfo; then
	echo "run.sh: this is no Linux with /proc" >&2
	exit 1
fi
exec "$here/llama-cpp-backend" "$@"
