/* Checks a backup wholly, and stages it for the next start (staged.h).
 *
 * The file is hostile until proven otherwise: nothing in it is executed, its schema must be that of
 * our own migrations to the letter, and its rows are copied into a store of our own making, so that
 * nothing else of it gets in. Nothing of the running state is touched. Blocking. Thread: any, one
 * at a time for a folder. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "config/config.h"

#define RESTORE_FILE_MAX      ((uint64_t) 256 << 20) /* octets */
#define RESTORE_VERSION_SIZE  64
#define RESTORE_SENTENCE_SIZE 200

struct restore_order {        /* all borrowed */
    const char *path;         /* of the backup, a regular file */
    const char *passphrase;   /* NULL: none was given */
    const char *folder;       /* of the store */
    const char *config_path;  /* the file whose secrets fill in what the backup does not have */
    const char *const *parts; /* as in config.h, with the environment */
    char *const *environment;
    bool has_tokens; /* here: those that go on to count when the backup brings none */
    const atomic_bool *is_cancelled; /* set from elsewhere; NULL: never */
};

struct restore_outcome { /* valid when zeroed */
    char version[RESTORE_VERSION_SIZE];
    char created[CLOCK_TEXT_SIZE];
    bool has_secrets;
    struct config_texts changed; /* JSON Pointers of settings that differ from those of the file */
    struct config_texts missing; /* of secrets that neither the backup nor the file has */
    char sentence[RESTORE_SENTENCE_SIZE]; /* what is wrong with the backup; "" : see faults */
    struct config_faults faults;          /* of its configuration */
};
void restore_outcome_done(struct restore_outcome *outcome);

/* 0: staged. -EBADMSG: it is no SQLite file, or damaged; E_INVALID_REQUEST: it is one, and cannot
 * be restored; both with a sentence or faults. -ECANCELED, or a negative errno of the folder. After
 * any failure what was staged before stays staged. Release *ret_outcome in any case. */
int restore_stage(const struct restore_order *order, struct restore_outcome *ret_outcome);
