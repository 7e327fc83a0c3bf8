#!/bin/sh
# Put a base backup and the archived log into an empty data folder; PostgreSQL brings it up to TIME when it starts.
# Usage: restore.sh FOLDER DATA [TIME]    TIME as '2026-11-30 09:00:00+00'; without it, as far as the log reaches.
set -eu
folder=$1
data=$2
time=${3:-}
if [ -n "$(ls -A "$data" 2>/dev/null || true)" ]; then
    echo "$data is not empty: move what is there away, it may hold what the backup lacks" >&2
    exit 1
fi
base=$(ls "$folder/base" | sort | tail -n 1)
if [ -n "$time" ]; then
    # Only a backup that was there by then can be brought up to a time.
    before=$(date -u -d "$time" +%Y%m%dT%H%M%SZ)
    base=$(ls "$folder/base" | sort | awk -v before="$before" '$0 < before' | tail -n 1)
    if [ -z "$base" ]; then
        echo "no base backup in $folder/base is from before $time" >&2
        exit 1
    fi
fi
mkdir -p "$data"
cp -R "$folder/base/$base/." "$data/"
chmod 0700 "$data"
{
    echo "restore_command = 'cp $folder/wal/%f %p'"
    if [ -n "$time" ]; then
        echo "recovery_target_time = '$time'"
        echo "recovery_target_action = 'promote'"
    fi
} >> "$data/postgresql.auto.conf"
touch "$data/recovery.signal"
echo "start PostgreSQL on $data, then sep2; it notices that its database is older: sep2 restore show"
