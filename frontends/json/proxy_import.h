/* Reads what is to be imported: proxies as the configuration has them, or what Home Assistant keeps
 * of its ESPHome devices (the text of .storage/core.config_entries). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/body.h"

#define PROXY_IMPORT_MAX         4096 /* proxies in one import */
#define PROXY_IMPORT_DETAIL_SIZE 160

struct proxy_import_skip {
    char *name; /* as it was given, cut; "" when there is none */
    char *detail;
};

struct proxy_import { /* valid when zeroed */
    bool is_dry_run;
    char **added; /* names */
    size_t added_count;
    struct proxy_import_skip *skipped;
    size_t skipped_count;
    char *patch; /* their entries of the configuration, an array in JSON; it holds secrets */
    size_t patch_size;
};
void proxy_import_done(struct proxy_import *import);

/* What one is about to be added as. */
struct proxy_import_candidate {
    const char *name, *host;
    uint16_t port;
    bool has_mac;
    uint64_t mac;
};

/* Whether there is such a proxy already: then why it is left out stands in ret_detail. */
typedef bool proxy_import_known_fn(void *user, const struct proxy_import_candidate *candidate,
                                   char ret_detail[PROXY_IMPORT_DETAIL_SIZE]);

/* The body {"proxies":[…]} or {"home_assistant":"…"}, with "dry_run". 0; or E_INVALID_REQUEST, and
 * on_fault was called: a field is wrong, or an entry of proxies is none that the configuration
 * takes. What Home Assistant has and cannot be taken is skipped. octets are JSON. Release
 * *ret_import in any case. */
int proxy_import_read(const void *octets, size_t size, proxy_import_known_fn *is_known,
                      body_fault_fn *on_fault, void *user, struct proxy_import *ret_import);
