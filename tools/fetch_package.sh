#!/bin/sh
# Unpacks a Debian package in a folder, without installing it: fetch_package.sh PACKAGE FOLDER. Nothing happens if it is there.
set -eu
package=$1 folder=$2
[ -d "$folder" ] && exit
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "fetch: expected apt-get and dpkg-deb to fetch the Debian package '$package'" >&2
  exit 1
fi
# A folder for this download alone: an older version of the package would also match PACKAGE_*.deb.
archive=$folder.archive
rm -rf "$archive" "$folder.partial"
mkdir -p "$archive"
[ -n "$(apt-cache madison "$package" 2>/dev/null)" ] || $(command -v sudo || true) apt-get update -qq >/dev/null 2>&1 || true
(cd "$archive" && apt-get download -qq "$package" >/dev/null 2>&1) ||
  { echo "fetch: cannot download the Debian package '$package'; is the network reachable?" >&2; rm -rf "$archive"; exit 1; }
dpkg-deb -x "$archive/$package"_*.deb "$folder.partial"
rm -rf "$archive"
mv "$folder.partial" "$folder"
