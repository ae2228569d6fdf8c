/* The lists of the configuration: proxies, devices, identities, areas, Matter servers. Inside this
 * room only. */
#pragma once

#include "unique.h"
#include "values.h"

struct lists { /* what is compared when all are read; valid when zeroed */
    struct unique proxy_names, device_addresses, aliases, area_names;
};

/* The reader of a list by its dotted key ("proxies", "matter.servers"), with the part that heeds
 * it; NULL if there is no such list. */
typedef void lists_reader(struct lists *lists, const struct value *v, struct config *config);
lists_reader *lists_find(const char *key, const char **ret_part);

/* Dotted keys of all lists; NULL at the end. */
const char *lists_key(size_t index);

/* Faults for names given twice; releases what was collected. */
void lists_check(struct lists *lists, struct config_faults *faults);

/* Releases the lists of a configuration. */
void lists_free(struct config *config);
