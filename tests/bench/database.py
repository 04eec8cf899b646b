# SPDX-License-Identifier: BSD-3-Clause
"""Databases of many platforms: one real platform, told many times.

The first row of each table comes from pcs-sim through pccsd, with all its checks; the others differ
in the QE ID alone, which no certificate names, so that every row verifies when it is served.
"""
import sqlite3

TABLES = {
    "platforms": ("pce_id, platform_manifest, enc_ppid, fmspc, ca, created_time, updated_time", ""),
    "platform_tcbs": ("pce_id, cpu_svn, pce_svn, tcbm, created_time, updated_time", ""),
    # one certificate each, the one that is mapped: look-ups read no other
    "pck_cert": (
        "pce_id, tcbm, pck_cert, created_time, updated_time",
        "AND t.tcbm = (SELECT tcbm FROM platform_tcbs WHERE qe_id = t.qe_id LIMIT 1)",
    ),
    "pccs_platforms": (
        "pce_id, not_available_at, chain_id, certs_time, created_time, updated_time",
        "",
    ),
}


def multiply(path, qe_id, count):
    """QE IDs 0 to count - 1, as 32 hex digits, beside the one that is there."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        for table, (columns, only) in TABLES.items():
            selected = ", ".join(f"t.{name.strip()}" for name in columns.split(","))
            database.execute(
                f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1) "
                f"INSERT OR IGNORE INTO {table} (qe_id, {columns}) "
                f"SELECT printf('%032X', n.i), {selected} FROM n, {table} t "
                f"WHERE t.qe_id = ?2 {only}",
                (count, qe_id),
            )
    database = sqlite3.connect(path)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
