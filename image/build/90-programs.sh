#!/bin/bash
# Do the programs find every library, and start?
set -euo pipefail

for program in punktfunk-host punktfunk-seat punktfunk-inputd; do
    file=/usr/lib/punktfunk/$program
    missing=$(ldd "$file" | grep 'not found' || true)
    [ -z "$missing" ] || {
        echo "$program: $missing" >&2
        exit 1
    }
    "$file" --version
done
for program in Xwayland pipewire wireplumber pw-cli dbus-daemon foot; do
    command -v "$program" >/dev/null || {
        echo "$program is missing; packages/core.$FAMILY.txt has to name what brings it" >&2
        exit 1
    }
done
