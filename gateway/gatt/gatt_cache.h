/* What is known of devices' GATT databases, and how far it may be believed.
 *
 * A tree is kept by device and shared by all proxies; a pair (device, proxy) is proved once a
 * discovery through that proxy, or a link with cache whose first operation worked, agreed with it.
 * What proves it wrong (another Database Hash, Service Changed, an invalid handle, a discovery that
 * differs) makes it forgotten for all. Devices whose trees are equal, entry by entry, share one in
 * memory. Bounded: beyond the limit the entry that was used longest ago goes; finding, discovering
 * and working are use. Devices are known by address alone, private ones too.
 *
 * What changes is told, so that the house can keep it: from inside the call, when it is true
 * already; the callbacks must not change the cache. Pure. Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "ble/gatt_tree.h"

#define GATT_HASH_SIZE         16
#define GATT_CACHE_PAIRS_MAX   64                         /* proved proxies a device */
#define GATT_CACHE_CHECK_AFTER (24 * 3600 * USEC_PER_SEC) /* the hash is read once a day */

struct gatt_cache;

struct gatt_known { /* borrowed until the next call that changes something */
    struct gatt_tree *tree;
    bool has_hash;
    uint8_t hash[GATT_HASH_SIZE]; /* of the characteristic Database Hash, as read */
    int64_t updated;              /* wall clock of the discovery */
    bool can_hash;                /* the tree has the characteristic Database Hash */
    bool can_change;              /* it has Service Changed */
    bool is_check_due; /* can_hash, and it was not compared in this run and within a day; the day
                          is judged by gatt_cache_find() alone */
};

enum gatt_doubt {                            /* why an entry was forgotten */
                  GATT_DOUBT_HASH,           /* the device's Database Hash is another one */
                  GATT_DOUBT_CHANGED,        /* it indicated Service Changed */
                  GATT_DOUBT_INVALID_HANDLE, /* it refused a handle of the tree */
                  GATT_DOUBT_DISCOVERY, /* a discovery differed; the new tree is in its place */
                  GATT_DOUBT_ASKED,     /* somebody asked for it */
};

struct gatt_cache_callbacks {
    /* The entry is new, was discovered again, or has its first hash: to be kept. known NULL: it was
     * forgotten, after its pairs. */
    void (*on_entry)(void *user, uint64_t address, const struct gatt_known *known);
    /* A pair was proved, or has another MTU than before (0: not known, like LINK_DEFAULT_MTU); or
     * it is not proved any more. */
    void (*on_pair)(void *user, uint64_t address, uint16_t source, bool is_proved, uint32_t mtu);
    void *user;
};

/* entries_max 0: nothing is kept. Callbacks are copied; they, and each of them, may be NULL. */
struct gatt_cache *gatt_cache_new(size_t entries_max, const struct gatt_cache_callbacks *callbacks);
/* Tells nothing. NULL is allowed. */
void gatt_cache_free(struct gatt_cache *c);
/* What is beyond a smaller limit goes, and is told. */
void gatt_cache_configure(struct gatt_cache *c, size_t entries_max);

/* What the house kept, at the start; tells nothing. The newest first: each counts as used longer
 * ago than those before it. The cache holds the tree; hash may be NULL. False: there is no room, or
 * no service; the house may let it go. An address that is known stays as it is: true. */
bool gatt_cache_restore(struct gatt_cache *c, uint64_t address, struct gatt_tree *tree,
                        const uint8_t *hash, int64_t updated);
/* False: there is no entry for it, or no room. */
bool gatt_cache_restore_pair(struct gatt_cache *c, uint64_t address, uint16_t source, uint32_t mtu);

/* False: nothing is known. Counts as use. */
bool gatt_cache_find(struct gatt_cache *c, uint64_t address, usec_t now,
                     struct gatt_known *ret_known);
/* The same for the house, which keeps what it reads: it counts neither as use nor as hit. */
bool gatt_cache_get(const struct gatt_cache *c, uint64_t address, struct gatt_known *ret_known);
/* A connect with cache through that proxy is proved; *ret_mtu as stored, 0: not known (it is not
 * touched when nothing is proved). */
bool gatt_cache_is_proved(const struct gatt_cache *c, uint64_t address, uint16_t source,
                          uint32_t *ret_mtu);

/* A discovery through the proxy that was ended by message 72. An empty tree (no service) is never
 * kept: -ENODATA, and what was known stays. The cache holds the tree; *ret_known is what is true
 * now (it may be an older equal tree; where nothing is kept it is the caller's own). A tree that
 * differs from the known one makes all other pairs unproved and its hash unknown. An MTU beyond 16
 * bits is not known. Beyond GATT_CACHE_PAIRS_MAX the proxy that worked longest ago is proved no
 * more. */
int gatt_cache_discovered(struct gatt_cache *c, uint64_t address, uint16_t source,
                          struct gatt_tree *tree, uint32_t mtu, int64_t wall,
                          struct gatt_known *ret_known);
/* An operation on a link with cache through that proxy worked: the pair is proved. mtu 0: keep. A
 * device of which nothing is known is ignored. */
void gatt_cache_worked(struct gatt_cache *c, uint64_t address, uint16_t source, uint32_t mtu);
/* The Database Hash was read. true: as known (or the first, or there is nothing to compare it
 * with); false: it differs and the entry is forgotten. */
bool gatt_cache_hashed(struct gatt_cache *c, uint64_t address, const uint8_t hash[GATT_HASH_SIZE],
                       usec_t now);
/* Forgets the entry and its pairs. False: there was none. */
bool gatt_cache_forget(struct gatt_cache *c, uint64_t address, enum gatt_doubt doubt);
/* The proxy lost its memory of devices' services (it restarted, or another one has its place). */
void gatt_cache_forget_source(struct gatt_cache *c, uint16_t source);

struct gatt_cache_statistics {
    size_t entries, trees; /* trees: different ones */
    size_t bytes;
    uint64_t hits, misses;
    uint64_t doubts[GATT_DOUBT_ASKED + 1];
    uint64_t evicted;
};
void gatt_cache_get_statistics(const struct gatt_cache *c,
                               struct gatt_cache_statistics *ret_statistics);
