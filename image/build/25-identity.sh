#!/bin/bash
# Which system this is, and none of what makes a machine one of its own: each makes its name,
# its number and its keys itself when it boots for the first time.
set -euo pipefail

release=/usr/lib/os-release
sed -i '/^\(IMAGE_ID\|IMAGE_VERSION\|DEFAULT_HOSTNAME\)=/d' "$release"
cat >>"$release" <<END
IMAGE_ID=punktfunk
IMAGE_VERSION=$VERSION
DEFAULT_HOSTNAME=punktfunk
END

# Empty, not missing: units are enabled below, and not anew when a machine boots first.
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed /etc/ssh/ssh_host_*
