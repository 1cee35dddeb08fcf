#!/bin/bash
# One kernel, where bootc looks for it, with an initial file system that finds the root of an
# ostree system on any machine. After the payload, whose prepare-root.conf goes into it.
set -euo pipefail

# Debian puts kernels into /boot, which has to be empty in an image.
for kernel in /boot/vmlinuz-*; do
    [ -e "$kernel" ] || continue
    mv "$kernel" "/usr/lib/modules/${kernel#/boot/vmlinuz-}/vmlinuz"
done
find /boot -mindepth 1 -delete
rm -f /vmlinuz /vmlinuz.old /initrd.img /initrd.img.old

kernels=(/usr/lib/modules/*/vmlinuz)
if [ "${#kernels[@]}" != 1 ] || [ ! -e "${kernels[0]}" ]; then
    echo "the base has to have one kernel, not: ${kernels[*]}" >&2
    exit 1
fi
folder=$(dirname "${kernels[0]}")
depmod "$(basename "$folder")"
dracut --quiet --force --no-hostonly --reproducible --zstd --add ostree \
    --kver "$(basename "$folder")" "$folder/initramfs.img"
chmod 0600 "$folder/initramfs.img"
