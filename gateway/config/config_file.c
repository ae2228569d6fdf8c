/* The happy path: the text is read and kept; a change reads it again, finds it as it was, edits it,
 * and replaces the file. The text that was written is the one that is kept then.
 *
 * Failure modes: a text that somebody else wrote is never overwritten. It is left alone until it is
 * read on purpose; when it has faults then, the one before it counts on, and the file is left alone
 * still. */
#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "difference.h"
#include "document.h"
#include "fault_list.h"

int config_file_read(const char *path, struct buffer *ret_text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t got;

    if (fd < 0)
        return -errno;
    do {
        got = read(fd, buffer_reserve(ret_text, 65536), 65536);
        if (got > 0)
            buffer_commit(ret_text, (size_t) got);
    } while ((got > 0 && buffer_size(ret_text) <= CONFIG_FILE_MAX) || (got < 0 && errno == EINTR));
    got = got < 0 ? -errno : 0;
    (void) close(fd);
    return (int) got;
}

/* It holds secrets. */
static void wipe(struct buffer *text)
{
    if (text->data)
        explicit_bzero(text->data, text->capacity);
    buffer_done(text);
}

static const char *text_of(const struct buffer *text)
{
    return (const char *) buffer_front(text);
}

/* This content is the one that counts now. */
static void keep_text(struct config_file *f, const char *text, size_t size)
{
    config_file_done(f);
    f->text = memory_zalloc(1, size + 1);
    memcpy(f->text, text, size);
    f->size = size;
    f->revision++;
}

static bool is_kept(const struct config_file *f, const struct buffer *text)
{
    return f->text && f->size == buffer_size(text) &&
           memcmp(f->text, buffer_front(text), f->size) == 0;
}

static void tell_etag(const struct config_file *f, struct config_edited *edited)
{
    char etag[CONFIG_FILE_ETAG_SIZE];

    free(edited->etag);
    config_file_get_etag(f, etag);
    edited->etag = memory_copy_text(etag);
}

/* ---- changing ---- */

static int check_tokens(const struct config_file *f, struct config_edited *edited)
{
    if (!f->has_tokens && edited->config)
        config_check_listen(edited->config, &edited->faults);
    if (edited->faults.count == 0)
        return 0;
    config_free(TAKE(edited->config));
    return E_INVALID_REQUEST;
}

static int write_text(struct config_file *f, const struct config_edited *edited)
{
    int rc;

    if (!edited->is_changed)
        return 0;
    rc = atomic_file_write(f->path, edited->text, edited->size);
    if (rc == 0)
        keep_text(f, edited->text, edited->size);
    return rc;
}

static int change_text(struct config_file *f, const struct buffer *text,
                       const struct config_edit *edit, struct config_edited *edited)
{
    char etag[CONFIG_FILE_ETAG_SIZE];
    int rc;

    config_file_get_etag(f, etag);
    edited->is_foreign = !is_kept(f, text);
    if (edited->is_foreign || (edit->if_match && !config_file_is_etag_in(edit->if_match, etag)))
        return E_PRECONDITION_FAILED;
    rc = config_edit_apply(text_of(text), buffer_size(text), edit, f->parts, f->environment,
                           edited);
    if (rc == 0)
        rc = check_tokens(f, edited);
    return rc == 0 ? write_text(f, edited) : rc;
}

/* ---- public ---- */

struct config *config_file_load(struct config_file *f, struct config_faults *ret_faults)
{
    const struct place document = {0};
    struct buffer text = {0};
    struct config *config = NULL;
    int error = config_file_read(f->path, &text);

    *ret_faults = (struct config_faults){0};
    if (error)
        fault_list_add(ret_faults, &document, "cannot be read: %s (%s)", error_sentence(error),
                       error_token(error));
    else
        config = config_parse_under(text_of(&text), buffer_size(&text), f->parts, f->environment,
                                    ret_faults);
    if (config)
        keep_text(f, text_of(&text), buffer_size(&text));
    wipe(&text);
    return config;
}

void config_file_done(struct config_file *f)
{
    if (f->text)
        explicit_bzero(f->text, f->size);
    free(TAKE(f->text));
    f->size = 0;
}

void config_file_get_etag(const struct config_file *f, char ret_etag[CONFIG_FILE_ETAG_SIZE])
{
    (void) snprintf(ret_etag, CONFIG_FILE_ETAG_SIZE, "\"%08x-%llu\"", f->run,
                    (unsigned long long) f->revision);
}

bool config_file_is_etag_in(const char *list, const char *etag)
{
    size_t length = strlen(etag);

    while (*list) {
        list += strspn(list, " \t,");
        if (*list == '*')
            return true;
        if (strncmp(list, "W/", 2) == 0)
            list += 2; /* a cache on the way may have made it weak; the content is the same */
        if (strncmp(list, etag, length) == 0) /* it ends with a quote */
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

int config_file_change(struct config_file *f, const struct config_edit *edit,
                       struct config_edited *ret_edited)
{
    struct buffer text = {0};
    int rc = config_file_read(f->path, &text);

    *ret_edited = (struct config_edited){0};
    if (rc == 0)
        rc = change_text(f, &text, edit, ret_edited);
    tell_etag(f, ret_edited);
    wipe(&text);
    return rc;
}

static void compare(const struct config_file *f, const struct buffer *text,
                    struct config_edited *edited)
{
    json_t *older = document_read(f->text, f->size);
    json_t *newer = document_read(text_of(text), buffer_size(text));

    difference_find(older, newer, f->environment, &edited->changed, &edited->restart_required);
    json_decref(older);
    json_decref(newer);
}

static int take_over(struct config_file *f, const struct buffer *text, struct config_edited *edited)
{
    int rc;

    edited->config = config_parse_under(text_of(text), buffer_size(text), f->parts, f->environment,
                                        &edited->faults);
    rc = check_tokens(f, edited);
    if (rc < 0)
        return rc;
    compare(f, text, edited);
    edited->is_changed = true;
    (void) atomic_file_keep(f->path, f->text, f->size); /* best effort: it is lost already */
    keep_text(f, text_of(text), buffer_size(text));
    return 0;
}

int config_file_reload(struct config_file *f, struct config_edited *ret_edited)
{
    struct buffer text = {0};
    int rc = config_file_read(f->path, &text);

    *ret_edited = (struct config_edited){0};
    if (rc == 0 && !is_kept(f, &text))
        rc = take_over(f, &text, ret_edited);
    tell_etag(f, ret_edited);
    wipe(&text);
    return rc;
}

int config_file_check(struct config_file *f, struct config_edited *ret_edited)
{
    struct buffer text = {0};
    int rc = config_file_read(f->path, &text);

    *ret_edited = (struct config_edited){.is_foreign = rc == 0 && !is_kept(f, &text)};
    wipe(&text);
    return rc;
}

void config_file_get_versions(const struct config_file *f, struct config_versions *ret_versions)
{
    ret_versions->count = atomic_file_versions(f->path, ret_versions->items);
}

/* The text of a version that is there. */
static int read_version(const struct config_file *f, int number, struct buffer *ret_text)
{
    char *path AUTO_FREE = NULL;
    struct config_versions versions;
    int rc;

    config_file_get_versions(f, &versions);
    for (size_t i = 0; i < versions.count; i++) {
        if (versions.items[i].number == number)
            path = atomic_file_version_path(f->path, number);
    }
    if (!path)
        return E_NOT_FOUND;
    rc = config_file_read(path, ret_text);
    return rc == -ENOENT ? E_NOT_FOUND : rc;
}

int config_file_read_version(const struct config_file *f, int number,
                             struct config_edited *ret_edited)
{
    char *const no_environment[] = {NULL};
    struct buffer text = {0};
    int rc = read_version(f, number, &text);

    *ret_edited = (struct config_edited){0};
    if (rc == 0) {
        ret_edited->config = config_parse_under(text_of(&text), buffer_size(&text), f->parts,
                                                no_environment, &ret_edited->faults);
        rc = ret_edited->config ? 0 : E_INVALID_REQUEST;
    }
    wipe(&text);
    return rc;
}

int config_file_restore(struct config_file *f, int number, const char *if_match,
                        struct config_edited *ret_edited)
{
    struct buffer text = {0};
    int rc = read_version(f, number, &text);

    *ret_edited = (struct config_edited){0};
    if (rc == 0) {
        const struct config_edit edit = {.kind = CONFIG_EDIT_REPLACE,
                                         .patch = text_of(&text),
                                         .patch_size = buffer_size(&text),
                                         .pointer = "",
                                         .if_match = if_match};

        rc = config_file_change(f, &edit, ret_edited);
    }
    wipe(&text);
    return rc;
}
