#!/bin/bash
# Runs one phase of the image's build: the numbered scripts beside this one, in order.
# Only `fetch` has a network. The others are cut off from it, so that nothing of the image
# depends on what a server happened to say.
set -euo pipefail

phase=${1:?a phase: fetch, configure, test or lint}
here=$(dirname "$(readlink -f "$0")")

case $phase in
fetch) scripts=("$here"/1[0-9]-*.sh) cut=() ;;
configure) scripts=("$here"/[2-8][0-9]-*.sh) cut=(unshare --net) ;;
test) scripts=("$here"/9[0-4]-*.sh) cut=(unshare --net) ;;
lint) scripts=("$here"/9[5-9]-*.sh) cut=(unshare --net) ;;
*)
    echo "there is no phase $phase" >&2
    exit 2
    ;;
esac

# ID and ID_LIKE of the base decide whose package names are meant.
# shellcheck source=/dev/null
case " $(. /usr/lib/os-release && echo "$ID ${ID_LIKE-}") " in
*" debian "*) FAMILY=debian ;;
*" fedora "*) FAMILY=fedora ;;
*)
    echo "the base is neither of Debian's family nor of Fedora's" >&2
    exit 1
    ;;
esac
export FAMILY CTX=/ctx FLAVOUR=${FLAVOUR:-mesa} VERSION=${VERSION:-0}

for script in "${scripts[@]}"; do
    echo "--- $phase: ${script##*/} ($FAMILY, $FLAVOUR)"
    "${cut[@]}" bash "$script"
done
