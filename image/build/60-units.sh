#!/bin/bash
# What is on and off, as the presets say. Our own units are linked below /usr and run without
# one.
set -euo pipefail

for unit in bootc-fetch-apply-updates.timer nvidia-persistenced.service; do
    [ ! -e "/usr/lib/systemd/system/$unit" ] || systemctl preset "$unit"
done

if [ "$FAMILY" = debian ]; then
    # Fedora's family has NetworkManager; a Debian of packages alone asks nobody for an address.
    systemctl enable systemd-networkd.service
    # Nothing waits for an address: the host listens on all of them.
    systemctl mask systemd-networkd-wait-online.service
fi
