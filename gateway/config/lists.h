/* The lists of the configuration: proxies, devices, identities, areas, Matter servers. Inside this
 * room only. */
#pragma once

#include "fields.h"
#include "unique.h"
#include "values.h"

struct lists { /* what is compared when all are read; valid when zeroed */
    struct unique proxy_names, device_addresses, aliases, area_names;
};

struct list {
    const char *key;  /* "proxies", "matter.servers" */
    const char *part; /* that heeds it */
    const char *help;
    const struct field *fields; /* of an entry */
    size_t fields_count;
    size_t most;                         /* entries */
    size_t entry_size;                   /* of its struct */
    size_t entries_offset, count_offset; /* in struct config */
    void (*prepare)(void *entry);        /* defaults that are not zero; NULL: none */
    void (*check)(struct lists *lists, const struct value *v, const void *entry); /* NULL: none */
    void (*release)(void *entry); /* what the entry points to */
};

/* The list with this dotted key, or NULL; and all of them, NULL at the end. */
const struct list *lists_find(const char *key);
const struct list *lists_at(size_t index);

/* Reads all entries into the configuration. */
void lists_read(const struct list *list, struct lists *lists, const struct value *v,
                struct config *config);

/* The list again (a new reference). */
json_t *lists_dump(const struct list *list, const struct config *config, bool with_secrets);

/* Faults for names given twice; releases what was collected. */
void lists_check(struct lists *lists, struct config_faults *faults);

/* Releases the lists of a configuration. */
void lists_free(struct config *config);
