/* What the tests of the ledger share: short words for its calls, and what must hold at any time. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "link/ledger.h"

#define SECONDS(n)  ((usec_t) (n) *USEC_PER_SEC)
#define AT(seconds) (CLOCK_START + SECONDS(seconds))

#define ADDRESSES(...)   (const uint64_t[]){__VA_ARGS__}, ARRAY_COUNT(__VA_ARGS__)
#define ARRAY_COUNT(...) (sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static inline struct ledger_proxy proxy_of(const struct ledger *l, uint16_t source, usec_t now)
{
    struct ledger_proxy p;

    ledger_get_proxy(l, source, now, &p);
    return p;
}

static inline uint32_t free_of(const struct ledger *l, uint16_t source)
{
    return proxy_of(l, source, AT(0)).free;
}

static inline bool slot_of(const struct ledger *l, uint16_t source, uint64_t address,
                           struct ledger_slot *ret_slot)
{
    for (size_t i = 0; ledger_get_slot(l, source, i, ret_slot); i++) {
        if (ret_slot->address == address)
            return true;
    }
    return false;
}

/* The slots one by one are what the sums say, and nothing is promised twice. */
static inline void check_proxy(const struct ledger *l, uint16_t source, usec_t now)
{
    struct ledger_proxy p = proxy_of(l, source, now);
    unsigned holders[3] = {0}, in_progress = 0, establishing = 0;
    struct ledger_slot s;
    size_t taken;

    for (taken = 0; ledger_get_slot(l, source, taken, &s); taken++) {
        assert_true(s.holder == SLOT_OURS || s.is_listed);
        assert_true(s.since <= now);
        holders[s.holder]++;
        in_progress += s.holder == SLOT_OURS && s.phase <= SLOT_ESTABLISHING;
        establishing += s.holder == SLOT_OURS && s.phase == SLOT_ESTABLISHING;
    }
    assert_int_equal(p.ours, holders[SLOT_OURS]);
    assert_int_equal(p.foreign + p.orphans, holders[SLOT_FOREIGN] + holders[SLOT_ORPHAN]);
    assert_true(p.orphans >= holders[SLOT_ORPHAN]);
    assert_int_equal(p.in_progress, in_progress);
    assert_true(establishing <= 1);
    assert_int_equal(p.is_establishing, establishing);
    if (!p.is_online)
        assert_true(taken == 0 && p.free == 0 && p.limit == 0 && !p.has_slots);
    else if (p.has_slots)
        assert_true(p.free == 0 || (p.free + taken <= p.limit && p.free <= p.told_free));
    else
        assert_int_equal(p.free, p.ours < LEDGER_ADDRESSES_MAX ? UINT32_MAX : 0);
    assert_true(p.told_free <= p.limit);
    assert_true(p.ours <= LEDGER_ADDRESSES_MAX);
}

/* One finding of this kind for this address is there, and no other. */
static inline void assert_found(struct ledger *l, usec_t now, enum ledger_finding finding,
                                uint16_t source, uint64_t address)
{
    enum ledger_finding found;
    uint16_t at;
    uint64_t whose;

    assert_true(ledger_find(l, now, &found, &at, &whose));
    assert_int_equal(found, finding);
    assert_int_equal(at, source);
    assert_int_equal(whose, address);
    assert_false(ledger_find(l, now, &found, &at, &whose));
}

static inline void assert_nothing_found(struct ledger *l, usec_t now)
{
    enum ledger_finding found;
    uint16_t at = 12345;
    uint64_t whose = 67890;

    assert_false(ledger_find(l, now, &found, &at, &whose));
    assert_int_equal(at, 12345);
    assert_int_equal(whose, 67890);
}
