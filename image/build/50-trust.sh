#!/bin/bash
# Whose images this machine takes: nobody's, but for those that both keys of a release stand
# for. Without keys, as in a build for trying things, it takes none at all.
set -euo pipefail

share=/usr/share/punktfunk/trust
install -d -m 0755 /etc/containers/registries.d
if [ -s "$CTX/trust/image" ]; then
    image=$(cat "$CTX/trust/image")
    install -m 0644 "$CTX/trust/primary.pub" "$CTX/trust/backup.pub" "$share/"
    sed "s|@IMAGE@|$image|g" "$share/policy.json" >/etc/containers/policy.json
    sed "s|@IMAGE@|$image|g" "$share/registries.yaml" >/etc/containers/registries.d/punktfunk.yaml
else
    echo '{"default":[{"type":"reject"}]}' >/etc/containers/policy.json
fi
