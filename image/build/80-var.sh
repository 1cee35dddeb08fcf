#!/bin/bash
# Empties /var: what is in it reaches a machine once and never again. Folders become rules of
# tmpfiles.d; what packages know of themselves moves to where it is updated with them.
set -euo pipefail

conf=/usr/lib/tmpfiles.d/zz-punktfunk-var.conf
echo '# Folders of the base in /var; made by the build of the image.' >"$conf"
if [ -d /var/lib/dpkg ] && [ ! -L /var/lib/dpkg ]; then
    install -d /usr/lib/sysimage
    cp --archive /var/lib/dpkg /usr/lib/sysimage/dpkg
    rm -rf /var/lib/dpkg
    echo 'L /var/lib/dpkg - - - - ../../usr/lib/sysimage/dpkg' >>"$conf"
fi

known=$(cat /usr/lib/tmpfiles.d/*.conf)
find /var -mindepth 1 -xdev -type d -printf '%p %#m %u %g\n' | sort |
    while read -r path mode user group; do
        case $path in *' '* | /var/tmp/* | /var/cache/*/*) continue ;; esac
        grep -Eq "^[a-zA-Z!+=-]+[[:space:]]+${path}/?[[:space:]]" <<<"$known" ||
            echo "d $path $mode $user $group -" >>"$conf"
    done
find /var -mindepth 1 -xdev -delete

find /run /tmp -mindepth 1 -xdev -delete 2>/dev/null || true
