#include "advisories.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

struct version {
    unsigned year, month, patch;
};

struct rule {
    struct advisory advisory;
    struct version fixed_in;
    const char *feature; /* only with this one; NULL: always */
};

static const struct rule rules[] = {
        {{"slot_freed_early", "Firmware before 2025.8 frees a slot too early.", "2025.8.0"},
         {2025, 8, 0},
         "active_connections"},
        {{"second_client_unheard",
          "Firmware before 2026.8 does not say so when another client has its advertisements.",
          "2026.8.0"},
         {2026, 8, 0},
         NULL},
};

/* "2025.8.0", "2025.8.0b2", "2025.8.0-dev": a release to come counts as the release. */
static bool parse_version(const char *text, struct version *ret_version)
{
    struct version v = {0};

    if (sscanf(text, "%4u.%2u.%3u", &v.year, &v.month, &v.patch) < 2)
        return false;
    *ret_version = v;
    return true;
}

static bool is_before(const struct version *a, const struct version *b)
{
    if (a->year != b->year)
        return a->year < b->year;
    if (a->month != b->month)
        return a->month < b->month;
    return a->patch < b->patch;
}

static bool has_feature(const struct gateway_proxy *proxy, const char *name)
{
    const char *other;

    for (unsigned bit = 0; (other = gateway_feature_name(bit)); bit++) {
        if (strcmp(other, name) == 0)
            return proxy->features >> bit & 1;
    }
    return false;
}

const struct advisory *advisories_next(const struct gateway_proxy *proxy, size_t *position)
{
    struct version version;

    if (!proxy->esphome_version || !parse_version(proxy->esphome_version, &version))
        return NULL;
    while (*position < ARRAY_SIZE(rules)) {
        const struct rule *rule = &rules[(*position)++];

        if (is_before(&version, &rule->fixed_in) &&
            (!rule->feature || has_feature(proxy, rule->feature)))
            return &rule->advisory;
    }
    return NULL;
}
