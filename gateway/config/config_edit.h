/* One change of a configuration: from the text as its user wrote it to a new one.
 *
 * An entry of a list is merged with a patch (RFC 7396: null removes, objects merge, all else
 * replaces), made, or removed. Everything else keeps its values and its order; white space may
 * change, and defaults are not filled in. Pure. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

struct config_edit {
    const char *list;  /* "devices", "proxies" */
    const char *entry; /* what its first field says: an address, a name */
    const char *patch; /* a JSON object; NULL: the entry is removed */
    size_t patch_size;
    const char *pointer; /* where the patch stands in what the caller was sent ("/settings"), for
                            faults */
};

struct config_edited { /* valid when zeroed */
    bool is_changed;   /* false: all values are what they were */
    char *text;        /* the new one, with a NUL behind; holds secrets */
    size_t size;
    struct config *config;       /* the same, parsed; take it, or leave it to done() */
    struct config_faults faults; /* with E_INVALID_REQUEST */
    char *holder;                /* with E_CONFLICT: who has the alias, an address or a name */
};
void config_edited_done(struct config_edited *edited);

/* Edits a text that is a valid configuration, and parses what comes out under the environment
 * (config.h). A secret that is "***" in the patch stays what it is. An entry that is not there is
 * made.
 *
 * 0; E_INVALID_REQUEST, when the patch is no JSON or the outcome no valid configuration, with
 * pointers into what the caller was sent; E_CONFLICT, when an alias is taken; E_NOT_FOUND, when
 * there is no entry to remove. Release *ret_edited in any case. */
int config_edit_apply(const char *text, size_t size, const struct config_edit *edit,
                      const char *const *parts, char *const *environment,
                      struct config_edited *ret_edited);
