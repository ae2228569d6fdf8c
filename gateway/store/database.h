/* The file of the store: opening, migrating, reading and writing it, all of it blocking.
 *
 * One SQLite connection without locks of its own: calls come one after the other, first from the
 * loop's thread at the start, then from one worker at a time. Only database_interrupt may come from
 * elsewhere. In WAL mode with synchronous NORMAL: when the process ends, however it ends, what was
 * written stays; a power cut may take what came since the last checkpoint, and damages nothing. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "accounts/token_table.h"
#include "store/batch.h"
#include "store/device.h"

#define DATABASE_NAME "blefleet.db"

struct database;

/* Makes the folder (0700) and the file (0600) where they are missing, locks the folder against a
 * second gateway, and brings the file to the schema of today. A file that is damaged, foreign or of
 * a newer version is moved aside with a warning (damaged.h). Else a negative errno, with a sentence
 * in ret_error. */
int database_open(const char *folder, struct database **ret_database, char *ret_error,
                  size_t error_size);
/* The same for a program that adds or removes tokens: beside a gateway that runs, too, if it is of
 * this version. */
int database_join(const char *folder, struct database **ret_database, char *ret_error,
                  size_t error_size);
/* Puts the WAL into the file and closes it. NULL is allowed. */
void database_close(struct database *db);

typedef void database_device_fn(void *user, const struct store_device *device);
/* All devices, the one heard longest ago first; each is valid for the call. Rows that make no sense
 * are left out and counted. Negative errno: the file could not be read to its end. */
int database_load_devices(struct database *db, database_device_fn *on_device, void *user,
                          size_t *ret_skipped);

typedef void database_text_fn(void *user, const char *key, const char *value);
int database_load_texts(struct database *db, enum batch_table table, database_text_fn *on_text,
                        void *user);

/* What is known of devices through proxies; rows that make no sense are left out. */
typedef void database_pair_fn(void *user, const struct store_pair *pair);
int database_load_pairs(struct database *db, database_pair_fn *on_pair, void *user);

typedef void database_gatt_fn(void *user, const struct store_gatt *gatt);
/* All GATT databases, the one discovered last first; each is valid for the call, equal trees are
 * one (they may be held). tree NULL: the row makes no sense, or its layout is damaged. Negative
 * errno as above. */
int database_load_gatt(struct database *db, database_gatt_fn *on_gatt, void *user);

/* Accounts; rows that make no sense are left out. Each is valid for the call. */
int database_load_tokens(struct database *db, struct account_token ret_tokens[TOKENS_MAX],
                         size_t *ret_count);
typedef void database_session_fn(void *user, const struct account_session *session);
int database_load_sessions(struct database *db, database_session_fn *on_session, void *user);
typedef void database_audit_fn(void *user, const struct audit_entry *entry);
/* In order of their ids. */
int database_load_audit(struct database *db, database_audit_fn *on_audit, void *user);

/* Whether somebody else has written into the file since we were asked last; at first: true. */
bool database_has_news(struct database *db);

/* All of the batch or, with a negative errno, nothing of it. Beyond rows_max devices those heard
 * longest ago go; beyond STORE_GATT_MAX databases those discovered longest ago. */
int database_write(struct database *db, const struct batch *batch, size_t rows_max);

/* Ends a running database_write early. Thread: any. */
void database_interrupt(struct database *db);

/* Whether the file in the folder has tokens, without changing anything; false also when there is no
 * such file, or it cannot be read. */
bool database_has_tokens(const char *folder);

size_t database_rows(const struct database *db);
/* Of the file and its WAL. */
uint64_t database_bytes(const struct database *db);
