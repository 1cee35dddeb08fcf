#!/bin/bash
# bootc's own lint, where there is a bootc.
set -euo pipefail

if command -v bootc >/dev/null; then
    bootc container lint --fatal-warnings --no-truncate
else
    echo "skipped: this base has no bootc"
fi
