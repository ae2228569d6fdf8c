/* One change of a configuration: from the text as its user wrote it to a new one.
 *
 * Patches are merged (RFC 7396: null removes, objects merge, all else replaces). Everything that a
 * change does not name keeps its value and its order; white space may change, and defaults are not
 * filled in. Pure. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

enum config_edit_kind {
    CONFIG_EDIT_ENTRY, /* one entry of a list is merged with the patch, or made if there is none */
    CONFIG_EDIT_ADD,   /* new entries at the end of a list: the patch is one, or an array of them */
    CONFIG_EDIT_CHANGE,  /* one entry that is there is merged with the patch. A proxy that gets
                            another name keeps its place, and the routes of devices follow it */
    CONFIG_EDIT_REMOVE,  /* one entry goes; there is no patch. A proxy leaves the routes of devices
                          */
    CONFIG_EDIT_MERGE,   /* the whole document is merged with the patch */
    CONFIG_EDIT_REPLACE, /* the patch is the whole new document */
};

struct config_edit {
    enum config_edit_kind kind;
    const char *list;  /* "devices", "proxies"; NULL for the whole document */
    const char *entry; /* what its first field says: an address, a name; NULL for ADD and the whole
                          document */
    const char *patch; /* JSON; NULL for REMOVE */
    size_t patch_size;
    const char *pointer;  /* where the patch stands in what the caller was sent ("/settings",
                             "/proxies"), for faults */
    const char *if_match; /* the ETag that the file must have (config_file.h), in quotes as it was
                             told, "*" or a list of them; NULL: any */
};

struct config_edited { /* valid when zeroed */
    bool is_changed;   /* false: all values are what they were */
    char *text;        /* the new one, with a NUL behind; holds secrets */
    size_t size;
    /* with E_PRECONDITION_FAILED: the file was edited by somebody else, and was not read since */
    bool is_foreign;
    struct config *config;       /* the same, parsed; take it, or leave it to done() */
    struct config_faults faults; /* with E_INVALID_REQUEST */
    char *holder;                /* with E_CONFLICT: who has the alias or the name */
    char *variable;              /* with E_OVERRIDDEN: of the environment, that holds the setting */
    char *pointer;               /* with E_CONFLICT and E_OVERRIDDEN: of what is meant */
    char *etag;                  /* of the file as it is now; NULL: not known */
    struct config_texts changed; /* pointers of the settings whose value differs from before */
    struct config_texts restart_required; /* those that count from the next start on */
};
void config_edited_done(struct config_edited *edited);

/* Edits a text that is a valid configuration, and parses what comes out under the environment
 * (config.h). A secret that is "***" in the patch stays what it is: that of the entry with the same
 * name, address or url; where there is none, that is a fault. An override of the environment that
 * the patch would change is E_OVERRIDDEN.
 *
 * 0; E_INVALID_REQUEST, when the patch is no JSON or the outcome no valid configuration, with
 * pointers into what the caller was sent; E_CONFLICT, when an alias or a name is taken;
 * E_NOT_FOUND, when there is no entry to change or remove. Release *ret_edited in any case. */
int config_edit_apply(const char *text, size_t size, const struct config_edit *edit,
                      const char *const *parts, char *const *environment,
                      struct config_edited *ret_edited);
