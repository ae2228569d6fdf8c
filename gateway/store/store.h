/* The store: what is known and is not configuration, kept over restarts.
 *
 * Devices, their GATT databases, the identity of proxies, what is known of devices through proxies,
 * and single texts. At the start everything is read at once; after that only the loop's copy counts
 * and the file follows it. Somebody touches a device that has changed; STORE_FLUSH_MS later at the
 * latest the store asks what there is to say about it by then, in batches, and writes them on a
 * worker (one at a time): so a device that changes a hundred times is written once, and a slow disk
 * makes the file lag, not the loop. Nothing here waits for the disk after the start.
 *
 * A file that is damaged, foreign or of a newer version is put aside with a warning; see
 * store/database.h. While the file cannot be written (the disk is full) everything goes on in
 * memory: what was touched stays touched, and it is tried again, ever more rarely. Thread: the
 * loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/account_queue.h"
#include "store/device.h"
#include "store/gatt.h"
#include "store/pair_table.h"

#define STORE_FLUSH_MS     5000 /* killed, one loses this and the writing: 10 s at most */
#define STORE_CLOSE_MS     2000 /* the last writing may take so long */
#define STORE_LOOK_MS      3000 /* what other programs write is seen then */
#define STORE_RETRY_MAX_MS 60000
#define STORE_BATCH        500 /* of both a transaction: a millisecond of the loop, or a few */
#define STORE_BATCH_OCTETS ((size_t) 512 << 10) /* and no more than one beyond so many */

struct uv_loop_s;

struct store_settings {
    const char *folder;
    size_t devices_max; /* in the file; those heard longest ago go */
    uint64_t hash_seed; /* drawn at random */
    unsigned flush_ms;  /* 0: STORE_FLUSH_MS */
};

struct store;

/* Opens, migrates and reads, blocking. A negative errno with a sentence in ret_error: the system
 * does not let us. */
int store_open(struct uv_loop_s *loop, const struct store_settings *settings,
               struct store **ret_store, char *ret_error, size_t error_size);

/* Writes what there is to write, for STORE_CLOSE_MS at most, and closes the file; on_closed is
 * called later from the loop, and the store is gone by then. Until then devices are asked for. */
void store_close(struct store *store, void (*on_closed)(void *user), void *user);

/* Writes all that waits, at once. on_flushed is called later, exactly once: 0, or the cause for
 * which it could not be written (it goes on being tried). True; false, and it is never called:
 * nothing waits. One at a time, and not behind store_close(). */
typedef void store_flushed_fn(void *user, int cause);
bool store_flush(struct store *store, store_flushed_fn *on_flushed, void *user);

/* The folder that it was opened in. */
const char *store_folder(const struct store *store);

/* ---- devices ---- */

/* All devices of the file, the one heard longest ago first; each is valid for the call. Blocking:
 * only before the loop runs for the first time, and before anything is touched. */
typedef void store_device_fn(void *user, const struct store_device *device);
int store_load_devices(struct store *store, store_device_fn *on_device, void *user);

/* Who tells what a device is at this moment: fills in ret_device (it was zeroed), whose pointers
 * stay valid until the next call. False: there is no such device, and it goes from the file. Called
 * from the loop, never from inside another call of ours. */
typedef bool store_read_device_fn(void *user, uint64_t address, struct store_device *ret_device);
void store_read_devices_from(struct store *store, store_read_device_fn *read_device, void *user);

/* This device changed, came or went. Cheap. One whose address changes by itself need not be
 * touched: it is never kept. */
void store_touch_device(struct store *store, uint64_t address);

/* ---- proxies and texts ---- */

/* The MAC that answered under the name of a configured proxy. False: not known. */
bool store_get_proxy(const struct store *store, const char *name, uint64_t *ret_mac);
/* mac 0: forget it (the proxy was removed, or its configuration changed). */
void store_put_proxy(struct store *store, const char *name, uint64_t mac);

/* A single value by its key ("mqtt.client_id"), within the bounds of store/text_table.h. NULL:
 * none; valid until the key is put again. */
const char *store_get_text(const struct store *store, const char *key);
/* value NULL: no more. */
void store_put_text(struct store *store, const char *key, const char *value);

/* ---- GATT databases ---- */

/* All databases of the file, the one discovered last first; each is valid for the call, its tree
 * may be held, equal trees are one. Damaged ones have no tree, are warned of and go from the file:
 * what was known of such a device through proxies (pairs) is not true of another database. on_gatt
 * may touch and put. Blocking: only before the loop runs for the first time, behind
 * store_load_devices(). */
typedef void store_gatt_fn(void *user, const struct store_gatt *gatt);
int store_load_gatt(struct store *store, store_gatt_fn *on_gatt, void *user);

/* Who tells what is known of a device at this moment, as store_read_devices_from() does of devices.
 * The tree is that of the one who tells, and stays until the next call. */
typedef bool store_read_gatt_fn(void *user, uint64_t address, struct store_gatt *ret_gatt);
void store_read_gatt_from(struct store *store, store_read_gatt_fn *read_gatt, void *user);

/* The database of this device is new, other than before, or forgotten. Cheap. */
void store_touch_gatt(struct store *store, uint64_t address);

/* ---- devices through proxies ---- */

/* False: nothing is known, and *ret_pair says so. */
bool store_get_pair(const struct store *store, uint64_t device, uint64_t proxy,
                    struct store_pair *ret_pair);
/* Within the bound of store/pair_table.h. is_kept false: for this run alone, as for a device whose
 * address changes by itself. */
void store_put_pair(struct store *store, const struct store_pair *pair, bool is_kept);
/* All of this device go. */
void store_drop_pairs(struct store *store, uint64_t device);

/* ---- accounts ---- */

/* All tokens of the file (TOKENS_MAX at most); valid for the call. */
typedef void store_tokens_fn(void *user, const struct account_token *tokens, size_t count);

struct store_accounts {
    store_tokens_fn *on_tokens; /* once, first */
    void (*on_session)(void *user, const struct account_session *session);
    void (*on_audit)(void *user, const struct audit_entry *entry); /* in order of their ids */
    void *user;
};
/* Blocking: only before the loop runs for the first time. Receivers may put. */
int store_load_accounts(struct store *store, const struct store_accounts *to);

/* Tells all tokens again when another program has written into the file, STORE_LOOK_MS later at the
 * latest. Once. */
void store_watch_tokens(struct store *store, store_tokens_fn *on_tokens, void *user);

/* With the next batch, which begins at once unless a token was merely used or somebody signed in.
 */
void store_put_account(struct store *store, const struct account_op *op);
/* A token that was added or removed is not in the file yet. */
bool store_is_behind_with_tokens(const struct store *store);

/* Called from the loop after each batch, with 0 or the negative cause for which it is not in the
 * file. NULL ends it. */
typedef void store_written_fn(void *user, int result);
void store_on_written(struct store *store, store_written_fn *on_written, void *user);

void store_put_audit(struct store *store, const struct audit_entry *entry);
/* Rows that are older (wall clock) go. */
void store_prune_audit(struct store *store, int64_t since);

/* ---- how it is doing ---- */

struct store_status {
    bool is_failing;   /* the last writing failed */
    const char *error; /* the last sentence of failure, also when it works again; NULL: none */
    size_t devices;    /* rows in the file */
    uint64_t bytes;    /* of the file and its log */
    size_t waiting;    /* devices and GATT databases that the file is behind with */
    uint64_t writes;   /* transactions */
    uint64_t failures;
    uint64_t dropped; /* touches for which there was no room; the rows stay as they were */
};
void store_get_status(const struct store *store, struct store_status *ret_status);
