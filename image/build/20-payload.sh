#!/bin/bash
# Puts punktfunk in: the tree that image/manifest.toml describes, modes and times included.
# All of it is root's and below /usr.
set -euo pipefail

cp --archive --no-preserve=ownership "$CTX/payload/usr/." /usr/

# PAM reads nothing below /usr. In an image this is not the administrator's file but what
# every machine's /etc starts with.
install -D -m 0644 /usr/share/punktfunk/limits/punktfunk.conf /etc/security/limits.d/60-punktfunk.conf
