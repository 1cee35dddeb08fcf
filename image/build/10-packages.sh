#!/bin/bash
# Installs what packages/ lists for this family and flavour: core, and what the flavour adds.
set -euo pipefail

lists=("$CTX/packages/core.$FAMILY.txt")
[ "$FLAVOUR" = core ] || lists+=("$CTX/packages/$FLAVOUR.$FAMILY.txt")
mapfile -t names < <(grep -hv '^#' "${lists[@]}")

case $FAMILY in
debian)
    export DEBIAN_FRONTEND=noninteractive
    # No service is started while an image is built.
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 0755 /usr/sbin/policy-rc.d
    apt-get -q update
    apt-get -q install -y --no-install-recommends "${names[@]}"
    rm /usr/sbin/policy-rc.d
    apt-get clean
    rm -rf /var/lib/apt/lists
    ;;
fedora)
    dnf -y install --setopt=install_weak_deps=False "${names[@]}"
    dnf clean all
    ;;
esac
