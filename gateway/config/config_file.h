/* The configuration file: read at the start, changed in place for as long as nobody else changes
 * it, read again when somebody did; and its last versions, which stand beside it (atomic_file.h).
 *
 * Its ETag is a random number of the run and how many contents were read or written since then: it
 * says nothing about the content, in which there are secrets. Blocks for as long as the disk takes.
 * Thread: any, one at a time. */
#pragma once

#include <stdint.h>

#include "atomic_file.h"
#include "base/buffer.h"
#include "config_edit.h"

#define CONFIG_FILE_ETAG_SIZE 40

struct config_file {
    const char *path;         /* these three are the caller's, and outlive it */
    const char *const *parts; /* as in config.h */
    char *const *environment;
    uint32_t run; /* any number that another run does not have */
    /* Whether access tokens exist: without one a new content may not listen off loopback. */
    bool has_tokens;
    char *text; /* private: as it was read or written last; ours */
    size_t size;
    uint64_t revision; /* private: counts them */
};

/* Appends the text of a file; what is longer than CONFIG_FILE_MAX is cut, and is no configuration.
 * It holds secrets: wipe it. A negative errno. */
int config_file_read(const char *path, struct buffer *ret_text);

/* Reads and parses it. NULL when there are faults; an unreadable file is a fault of the whole
 * document with the reason. Release what it keeps with config_file_done(). */
struct config *config_file_load(struct config_file *f, struct config_faults *ret_faults);
void config_file_done(struct config_file *f);

/* Of the content that was read or written last, in quotes. */
void config_file_get_etag(const struct config_file *f, char ret_etag[CONFIG_FILE_ETAG_SIZE]);

/* Whether a list of ETags, as If-Match and If-None-Match have it, names this one; "*" names all. */
bool config_file_is_etag_in(const char *list, const char *etag);

/* Changes it: reads it, edits it (config_edit.h), and writes it unless nothing changed. 0 only when
 * it is on the disk. Beside the errors of an edit: E_PRECONDITION_FAILED, when if_match names other
 * contents, or (is_foreign) when the text is not the one that was read or written last; and a
 * negative errno of the disk. After an error the file is what it was, but for the rare one of
 * atomic_file.h. Release *ret_edited in any case. */
int config_file_change(struct config_file *f, const struct config_edit *edit,
                       struct config_edited *ret_edited);

/* Reads what somebody else wrote there. 0; E_INVALID_REQUEST with the faults, or a negative errno:
 * then what was read before counts on. Not changed, when nobody did. What was read before becomes
 * version 1. */
int config_file_reload(struct config_file *f, struct config_edited *ret_edited);

/* Whether the text is another one than was read or written last: is_foreign then. 0 or a negative
 * errno. */
int config_file_check(struct config_file *f, struct config_edited *ret_edited);

struct config_versions {
    struct atomic_file_version items[ATOMIC_FILE_VERSIONS];
    size_t count;
};
void config_file_get_versions(const struct config_file *f, struct config_versions *ret_versions);

/* Parses a version into ret_edited->config. 0, E_NOT_FOUND, a negative errno, or E_INVALID_REQUEST
 * when it is none any more. */
int config_file_read_version(const struct config_file *f, int number,
                             struct config_edited *ret_edited);

/* Makes the content of a version the present one: a change like any other, so the present one
 * becomes version 1. if_match as in config_edit.h. E_NOT_FOUND beside the errors of a change. */
int config_file_restore(struct config_file *f, int number, const char *if_match,
                        struct config_edited *ret_edited);
