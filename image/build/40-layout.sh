#!/bin/bash
# The layout of an ostree system: /usr is the image's, /etc and /var are the machine's.
# A base that is made for bootc has it already.
set -euo pipefail

[ ! -L /ostree ] || exit 0

install -d -m 0755 /sysroot
ln -s sysroot/ostree /ostree

# What people put there outlives an update, so it lies in /var.
conf=/usr/lib/tmpfiles.d/punktfunk-layout.conf
echo '# Folders that links in / lead to; made by the build of the image.' >"$conf"
move() {
    rm -rf "${1:?}"
    ln -s "$2" "$1"
    echo "d /$(realpath -ms --relative-to=/ "$(dirname "$1")/$2") $3 root root -" >>"$conf"
}
move /home var/home 0755
move /root var/roothome 0700
move /srv var/srv 0755
move /opt var/opt 0755
move /mnt var/mnt 0755
move /usr/local ../var/usrlocal 0755
move /media run/media 0755
