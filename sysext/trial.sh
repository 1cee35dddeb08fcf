#!/bin/sh
# Runs inside a booted container that pretends to be SYSTEM, with releases of punktfunk in
# /trial; `cargo xtask package sysext-trial` starts it. Prints "ok WHAT" and "not ok WHAT:
# WHY". It waits for what systemd says, never for a time.
#
#   trial.sh SYSTEM first     install, update, refuse, undo, go back
#   trial.sh SYSTEM second    after a restart: it is there; then it is removed
#   trial.sh SYSTEM off       after a restart with a switch: it is not there
set -u
SYSTEM=$1
PHASE=$2
SHELF=/var/lib/extensions.d/punktfunk
HOST=punktfunk-host.service
PROGRAM=/usr/bin/punktfunk-host
# Where somebody has put the files of a release.
DOWNLOADS=/srv/punktfunk

ok() { echo "ok $SYSTEM: $*"; }
not_ok() {
    what=$1
    shift
    echo "not ok $SYSTEM: $what: $*" | tr '\n' ' '
    echo
}

# Says whether a command does what it should: is WHAT COMMAND…
is() {
    what=$1
    shift
    if said=$("$@" 2>&1); then ok "$what"; else not_ok "$what" "$said"; fi
}

# Runs what docs/install/sysext.md says in a section, where its files are: page WHAT NAME
page() {
    if said=$(cd "$DOWNLOADS" && sh -eu "/trial/page/$2" 2>&1); then
        ok "$1"
    else
        not_ok "$1" "$said"
    fi
}

# Runs `punktfunk-host sysext` and compares how it ends: ends WHAT STATUS ARGUMENTS…
ends() {
    what=$1
    wanted=$2
    shift 2
    said=$("$PROGRAM" sysext "$@" 2>&1)
    status=$?
    if [ "$status" = "$wanted" ]; then ok "$what"; else not_ok "$what" "status $status, not $wanted: $said"; fi
}

active() { punktfunk-host sysext status --json | tr -d ' \n' | grep -q "\"active\":\"$1\""; }
boots() { punktfunk-host sysext status --json | tr -d ' \n' | grep -q "\"current\":\"$1\""; }
as_host() {
    uid=$(id -u punktfunk) || return 1
    setpriv --reuid=punktfunk --regid=punktfunk --init-groups --reset-env \
        env "XDG_RUNTIME_DIR=/run/user/$uid" "$@"
}
# A unit of the host's manager: systemd says when its job is done.
host_runs() { as_host systemctl --user start "$HOST" && as_host systemctl --user --quiet is-active "$HOST"; }
host_is_of() {
    pid=$(as_host systemctl --user show --property=MainPID --value "$HOST")
    [ "$pid" -gt 0 ] && grep -qx "$1" "/proc/$pid/root/usr/lib/punktfunk/release"
}
# Nobody starts the activation here: a watch of systemd says when it has written its result.
activated() {
    mkfifo /run/seen
    printf '[Path]\nPathExists=/run/punktfunk-activate.json\n' >/run/systemd/system/seen.path
    printf '[Service]\nExecStart=/bin/sh -c "echo >/run/seen"\n' >/run/systemd/system/seen.service
    systemctl daemon-reload && systemctl start seen.path && timeout 120 cat /run/seen
}
no_host() { ! pgrep -x punktfunk-host >/dev/null && ! pgrep -x punktfunk-inputd >/dev/null; }
nothing_over_usr() {
    [ ! -e /usr/lib/punktfunk ] && [ ! -e /usr/bin/punktfunk-host ] &&
        [ ! -e /usr/lib/extension-release.d/extension-release.punktfunk ]
}
nothing_failed() { ! systemctl list-units --failed --plain --no-legend 'punktfunk*' systemd-sysext.service | grep .; }
# The hosts of before are gone, and none of the units that could start one is left.
clean() { nothing_over_usr && no_host; }

first() {
    is "nothing of it is there" clean
    rm -rf "$DOWNLOADS" && mkdir -p "$DOWNLOADS" && cp /trial/shop1/* "$DOWNLOADS"
    page "install from an image that is only mounted" install
    is "1.0.1 is active" active 1.0.1
    page "look at it" look
    is "the host runs without a login" host_runs
    is "the host is of 1.0.1" host_is_of 1.0.1

    cp /trial/shop2/* "$DOWNLOADS"
    page "update" update
    is "1.0.2 is active" active 1.0.2
    is "1.0.2 is started at boot" boots 1.0.2
    is "the host is of 1.0.2" host_is_of 1.0.2

    ends "a list signed by a stranger is refused" 4 update --from file:///trial/stranger
    ends "an image that is not what was signed is refused" 4 update --from file:///trial/damaged
    ends "one for another system is undone" 8 update --from file:///trial/alien
    ends "one for another processor is undone" 8 update --from file:///trial/processor
    ends "one whose programs do not run is undone" 8 update --from file:///trial/broken
    ends "one whose host does not start is undone" 8 update --from file:///trial/mute
    is "1.0.2 is active again" active 1.0.2
    is "the host of 1.0.2 runs again" host_is_of 1.0.2
    ends "what was undone is not tried again" 0 update --from file:///trial/mute

    page "go back" go-back
    is "1.0.1 is active again" active 1.0.1
    ends "an update does not undo that" 0 update --from file:///trial/shop2
    is "1.0.1 is still active" active 1.0.1
    ends "the second key is trusted" 0 update --look --from file:///trial/backup
    is "the timer of updates runs" systemctl --quiet is-active punktfunk-update.timer
    is "what runs every night brings it" systemctl start punktfunk-update.service
    is "1.0.3 is active" active 1.0.3
    is "the host is of 1.0.3" host_is_of 1.0.3
    is "the console is told" grep -q '"state":"none".*1.0.3 was just installed' /run/punktfunk-update.json
    [ "$SYSTEM" != steamos ] || system_update
}

updated() {
    systemctl start rauc.service && return
    journalctl --boot --no-pager --lines 40 --unit rauc.service --unit punktfunk-sysext.service
    return 1
}
# SteamOS updates itself below us. The unit that stands for its updater looks around.
system_update() {
    is "SteamOS keeps our unit" grep -qx /etc/systemd/system/punktfunk-sysext.service /etc/atomic-update.conf.d/punktfunk.conf
    # Starting it stops ours first, which ends the hosts, then uncovers /usr.
    is "and what its updater has to know" grep -qx Conflicts=punktfunk-sysext.service /etc/systemd/system/rauc.service.d/50-punktfunk.conf
    is "the system is updated" updated
    is "while the system is updated nothing lies over /usr and no host runs" clean
}

second() {
    is "1.0.3 is active after a restart" active 1.0.3
    is "it was put into effect" activated
    is "the host runs after a restart" host_runs
    is "the host is of 1.0.3" host_is_of 1.0.3
    touch /home/.punktfunk-off
    ends "with a switch nothing is changed" 7 rollback
    is "nor at night" systemctl start punktfunk-update.service
    rm /home/.punktfunk-off
    page "remove" remove
    is "nothing of it is left" clean
    is "nor of its images" test ! -e "$SHELF"
    is "nor of its unit" test ! -e /etc/systemd/system/punktfunk-sysext.service
    is "nor of what SteamOS's updater was told" test ! -e /etc/systemd/system/rauc.service.d/50-punktfunk.conf
    is "no unit has failed" nothing_failed
}

off() {
    is "with a switch nothing lies over /usr and no host runs" clean
    is "what was installed is kept" test -e "$SHELF/current"
}

"$PHASE"
echo "done"
