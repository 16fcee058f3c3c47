#!/bin/bash
# Proves that each front-door job works as the first and only command on a bare Debian 12. Needs root and debootstrap.
#
#   tools/bare_debian.sh "make test"          a fresh clone of the last commit, in a chroot that holds nothing but make
#   ROOT=/var/tmp/bare MIRROR=URL TEXT=/some/folder tools/bare_debian.sh "make demo"
#
# MIRROR is by default the first one in this machine's apt sources. The minimal system is made once and kept beside the
# chroot, so that a second proof starts at once. This machine's apt settings (proxies, certificates) and name servers are
# copied in; TEXT, a folder, appears there as INK_TEXT.
set -euo pipefail
job=${1:?"usage: bare_debian.sh \"make test\""}
root=${ROOT:-/var/tmp/bare-debian}
mirror=${MIRROR:-$(awk '/^URIs:/ { print $2; exit } /^deb / { print $2; exit }' /etc/apt/sources.list.d/* /etc/apt/sources.list 2>/dev/null)}
project=$(cd "$(dirname "$0")/.." && pwd)

((EUID == 0)) || { echo "bare_debian: expected to run as root, which chroot and mount need" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "bare_debian: please install debootstrap" >&2; exit 1; }

if [[ ! -e $root.base/etc/debian_version ]]; then
  echo "bare_debian: making a minimal system in $root.base"
  rm -rf "$root.base"
  debootstrap --variant=minbase bookworm "$root.base.part" "$mirror" >/dev/null
  mv "$root.base.part" "$root.base"
fi

leave() {
  for place in dev/pts dev sys proc text; do
    mountpoint -q "$root/$place" && umount "$root/$place"
  done
  return 0
}
trap leave EXIT
leave
rm -rf --one-file-system "$root"
cp -a "$root.base" "$root"

cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
mkdir -p "$root/usr/local/share/ca-certificates"
cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
for place in proc sys dev dev/pts; do mount --bind "/$place" "$root/$place"; done
text=()
if [[ -n ${TEXT:-} ]]; then
  mkdir "$root/text"
  mount --bind -o ro "$TEXT" "$root/text"
  text=(INK_TEXT=/text)
fi

inside() {
  chroot "$root" env -i HOME=/ PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" "${text[@]}" "$@"
}
inside bash -c 'apt-get update -q && apt-get install -y -q --no-install-recommends make' >/dev/null 2>&1
# As bare as an image is: without the package lists that installing make needed.
inside bash -c 'rm -rf /var/lib/apt/lists/*; apt-get clean'
git clone -q --no-hardlinks "$project" "$root/inkstone"

start=$SECONDS
code=0
inside bash -c "cd /inkstone && $job" || code=$?
echo "bare_debian: \"$job\" ended with $code after $((SECONDS - start)) s"
exit $code
