#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "fault_list.h"

static int read_text(const char *path, struct buffer *ret_text)
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

static int write_text(struct config_file *f, const struct config_edited *edited)
{
    int rc;

    if (!edited->is_changed)
        return 0;
    rc = atomic_file_write(f->path, edited->text, edited->size);
    if (rc == 0)
        f->hash = bytes_hash(edited->text, edited->size);
    return rc;
}

struct config *config_file_load(struct config_file *f, struct config_faults *ret_faults)
{
    const struct place document = {0};
    struct buffer text = {0};
    struct config *config = NULL;
    int error = read_text(f->path, &text);

    *ret_faults = (struct config_faults){0};
    if (error)
        fault_list_add(ret_faults, &document, "cannot be read: %s (%s)", error_sentence(error),
                       error_token(error));
    else
        config = config_parse_under((const char *) buffer_front(&text), buffer_size(&text),
                                    f->parts, f->environment, ret_faults);
    f->hash = bytes_hash(buffer_front(&text), buffer_size(&text));
    wipe(&text);
    return config;
}

int config_file_change(struct config_file *f, const struct config_edit *edit,
                       struct config_edited *ret_edited)
{
    struct buffer text = {0};
    int rc = read_text(f->path, &text);

    *ret_edited = (struct config_edited){0};
    if (rc == 0 && bytes_hash(buffer_front(&text), buffer_size(&text)) != f->hash)
        rc = E_PRECONDITION_FAILED;
    if (rc == 0)
        rc = config_edit_apply((const char *) buffer_front(&text), buffer_size(&text), edit,
                               f->parts, f->environment, ret_edited);
    if (rc == 0)
        rc = write_text(f, ret_edited);
    wipe(&text);
    return rc;
}
