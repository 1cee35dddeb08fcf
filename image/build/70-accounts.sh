#!/bin/bash
# Every account of /etc/passwd is told to systemd-sysusers, too: a machine whose file was
# changed keeps it over an update, and would not get new accounts otherwise.
set -euo pipefail

known=$(cat /usr/lib/sysusers.d/*.conf)
conf=/usr/lib/sysusers.d/zz-punktfunk-base.conf
is_known() { grep -Eq "^$1!?[[:space:]]+$2[[:space:]]" <<<"$known"; }

echo '# Accounts of the base, with their numbers; made by the build of the image.' >"$conf"
while IFS=: read -r name _ gid _; do
    is_known '[gu]' "$name" || echo "g $name $gid" >>"$conf"
done </etc/group
while IFS=: read -r name _ uid gid full home shell; do
    is_known u "$name" || echo "u $name $uid:$gid \"${full%%,*}\" $home $shell" >>"$conf"
done </etc/passwd
# Copies from before the last change.
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow-
