#!/bin/sh
# A base backup of the PostgreSQL server that libpq's variables name (PGHOST, PGUSER, ...), in a folder of its own by date.
# Usage: backup.sh FOLDER [DAYS]    older ones than DAYS (14) are removed, with the archived log from before the oldest.
set -eu
folder=$1
days=${2:-14}
name=$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$folder/base" "$folder/wal"
pg_basebackup --pgdata="$folder/base/.$name" --wal-method=stream --checkpoint=fast --label="sep2 $name"
pg_verifybackup --quiet "$folder/base/.$name"
mv "$folder/base/.$name" "$folder/base/$name"
find "$folder/base" -mindepth 1 -maxdepth 1 -mtime "+$days" -exec rm -r {} +
oldest=$(ls "$folder/base" | sort | head -n 1)
first=$(sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\))$/\1/p' "$folder/base/$oldest/backup_label")
pg_archivecleanup "$folder/wal" "$first"
echo "$folder/base/$name"
