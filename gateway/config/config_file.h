/* The configuration file: loaded once, and changed in place for as long as nobody else changes it.
 *
 * Blocks for as long as the disk takes. Thread: any, one at a time. */
#pragma once

#include <stdint.h>

#include "config_edit.h"

struct config_file {
    const char *path;         /* these three are the caller's, and outlive it */
    const char *const *parts; /* as in config.h */
    char *const *environment;
    uint64_t hash; /* private: of the text that was read or written last */
};

/* Reads and parses it. NULL when there are faults; an unreadable file is a fault of the whole
 * document with the reason. */
struct config *config_file_load(struct config_file *f, struct config_faults *ret_faults);

/* Changes it: reads it, edits it (config_edit.h), and writes it unless nothing changed. 0 only when
 * it is on the disk. Beside the errors of an edit: E_PRECONDITION_FAILED, when the text is not the
 * one that was read or written last, and a negative errno of the disk. After an error the file is
 * what it was, but for the rare one of atomic_file.h. Release *ret_edited in any case. */
int config_file_change(struct config_file *f, const struct config_edit *edit,
                       struct config_edited *ret_edited);
