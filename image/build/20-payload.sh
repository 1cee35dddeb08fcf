#!/bin/bash
# Puts punktfunk in: the tree that image/manifest.toml describes, modes and times included.
# All of it is root's and below /usr.
set -euo pipefail

cp --archive --no-preserve=ownership "$CTX/payload/usr/." /usr/
