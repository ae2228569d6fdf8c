/* A backup: one SQLite file with the configuration and the tables of the store.
 *
 * Beside those tables, as they were, it has the table `backup` of keys and values:
 *
 *     format         1; a reader refuses larger ones
 *     version        of the gateway that made it
 *     created        RFC 3339
 *     secrets        0, or 1: the last five are there
 *     configuration  the text of the file, each secret in it "***"
 *     salt, operations, memory, nonce, sealed: backup/sealed.h
 *
 * What is sealed is again an SQLite file: the table `configuration` with the whole text, and the
 * tables of the store that are secret (tokens). Outside the seal these are empty; sessions are in
 * no backup. Blocking. Thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BACKUP_APPLICATION_ID 0x626c6562 /* "bleb", in the header of the file */
#define BACKUP_FORMAT         1
#define BACKUP_TABLE                                                                               \
    "CREATE TABLE backup (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID"

/* Tables whose rows are secrets, and those whose rows are never kept; NULL at the end. They need
 * not exist. */
extern const char *const backup_secret_tables[], *const backup_passing_tables[];

struct backup_order {   /* all borrowed */
    const char *store;  /* path of its file; it may be in use */
    const char *config; /* text, which parses; holds secrets */
    size_t config_size;
    const char *passphrase; /* NULL: without secrets */
    const char *path;       /* where it is made; whatever is there goes */
    int64_t created;        /* wall clock */
};

/* Makes the file, takes its name away and gives it open for reading: close(*ret_fd). A negative
 * errno, and nothing is left. */
int backup_make(const struct backup_order *order, int *ret_fd, uint64_t *ret_size);
