#!/bin/bash
# Are our units and accounts such as systemd understands, and does the initial file system know
# ostree?
set -euo pipefail

systemd-analyze verify --man=no /usr/lib/systemd/system/punktfunk-inputd.{service,socket} \
    /usr/lib/systemd/system/punktfunk-welcome.service /usr/lib/systemd/system/punktfunk-welcome@ttyS0.service
systemd-sysusers --dry-run punktfunk.conf punktfunk-inputd.conf
for image in /usr/lib/modules/*/initramfs.img; do
    holds=$(TMPDIR=/tmp lsinitrd "$image")
    grep -q ostree-prepare-root <<<"$holds" || {
        echo "$image cannot find the root of an ostree system" >&2
        exit 1
    }
done
