/* The story: a backup waits until the store has written what waits, then a worker reads the
 * configuration file, copies the store's and seals the secrets. A restore is checked and staged by
 * a worker alone. Both take memory and time (a passphrase alone most of a second and 256 MiB), so
 * there is one of them at a time.
 *
 * Failure modes: a store that cannot be written makes no backup, since it would be behind; nor does
 * a configuration file with faults, which nobody could restore. At the end a check is broken off;
 * making a backup is waited for. */
#include "backups.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "backup/backup.h"
#include "backup/restore.h"
#include "backup/staged.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/config_file.h"
#include "keeping.h"
#include "store/database.h"

struct backups {
    uv_work_t work;
    uv_loop_t *loop;
    const struct config_file *file; /* its path, parts and environment alone are read */
    struct keeping *keeping;
    bool (*ask_tokens)(const void *user); /* NULL: there are none */
    const void *ask_user;
    bool is_working;
    bool has_tokens; /* when the restore that runs was asked for */
    atomic_bool is_cancelled;
    char *passphrase, *path; /* of what runs */
    int cause;               /* set by the worker, with one of the next two */
    struct gateway_backup backup;
    struct restore_outcome outcome;
    gateway_backup_fn *on_backup;   /* a backup runs */
    gateway_restore_fn *on_restore; /* a restore does */
    void *user;
    void (*on_closed)(void *user); /* NULL: goes on */
    void *closed_user;
};

static void finish_close(struct backups *b)
{
    b->on_closed(b->closed_user);
    free(b);
}

static void forget_job(struct backups *b)
{
    if (b->passphrase)
        explicit_bzero(b->passphrase, strlen(b->passphrase));
    free(TAKE(b->passphrase));
    free(TAKE(b->path));
    restore_outcome_done(&b->outcome);
}

/* E_OVERLOADED: one runs already. */
static int take_job(struct backups *b, const char *path, const char *passphrase, void *user)
{
    if (b->on_closed)
        return E_SHUTTING_DOWN;
    if (!b->keeping)
        return -EROFS;
    if (b->is_working)
        return E_OVERLOADED;
    b->is_working = true;
    b->path = memory_copy_text(path);
    b->passphrase = memory_copy_text(passphrase);
    b->user = user;
    return 0;
}

/* ---- backup ---- */

static void log_backup(const struct gateway_backup *backup)
{
    unsigned long long size = backup->size;

    if (size > RESTORE_FILE_MAX)
        log_warning("backup.too_large", "octets=%llu are more than a restore takes in (%llu)", size,
                    (unsigned long long) RESTORE_FILE_MAX);
    else
        log_info("backup.made", "octets=%llu", size);
}

static void finish_backup(struct backups *b)
{
    gateway_backup_fn *done = b->on_backup;

    b->is_working = false;
    forget_job(b);
    if (b->cause == 0)
        log_backup(&b->backup);
    done(b->user, b->cause, b->cause == 0 ? &b->backup : NULL);
    if (b->on_closed)
        finish_close(b);
}

static int read_config(const struct config_file *file, struct buffer *ret_text)
{
    int rc = config_file_read(file->path, ret_text);
    struct config_faults faults = {0};
    struct config *config;

    if (rc < 0)
        return rc;
    config = config_parse_under((const char *) buffer_front(ret_text), buffer_size(ret_text),
                                file->parts, file->environment, &faults);
    rc = config ? 0 : E_CONFLICT;
    config_free(config);
    config_faults_done(&faults);
    return rc;
}

static void make_work(uv_work_t *work)
{
    struct backups *b = work->data;
    const char *folder = keeping_folder(b->keeping);
    char *store AUTO_FREE = staged_path(folder, DATABASE_NAME);
    char *path AUTO_FREE = staged_path(folder, STAGED_BACKUP);
    struct buffer config = {0};

    b->cause = read_config(b->file, &config);
    if (b->cause == 0) {
        const struct backup_order order = {.store = store,
                                           .config = (const char *) buffer_front(&config),
                                           .config_size = buffer_size(&config),
                                           .passphrase = b->passphrase,
                                           .path = path,
                                           .created = b->backup.created};

        b->cause = backup_make(&order, &b->backup.fd, &b->backup.size);
    }
    if (config.data)
        explicit_bzero(config.data, config.capacity);
    buffer_done(&config);
}

static void on_made(uv_work_t *work, int status)
{
    (void) status; /* nobody cancels it */
    finish_backup(work->data);
}

static void on_flushed(void *user, int cause)
{
    struct backups *b = user;

    b->cause = b->on_closed ? E_CANCELLED : cause;
    if (b->cause == 0)
        (void) uv_queue_work(b->loop, &b->work, make_work, on_made); /* fails only without make_… */
    else
        finish_backup(b);
}

/* ---- restore ---- */

static void restore_work(uv_work_t *work)
{
    struct backups *b = work->data;
    const struct restore_order order = {.path = b->path,
                                        .passphrase = b->passphrase,
                                        .folder = keeping_folder(b->keeping),
                                        .config_path = b->file->path,
                                        .parts = b->file->parts,
                                        .environment = b->file->environment,
                                        .has_tokens = b->has_tokens,
                                        .is_cancelled = &b->is_cancelled};

    b->cause = restore_stage(&order, &b->outcome);
}

static void log_restore(const struct backups *b)
{
    const struct restore_outcome *o = &b->outcome;

    if (b->cause != 0) {
        log_warning("restore.refused", "%s%s%s", error_sentence(b->cause),
                    o->sentence[0] ? ": " : "", o->sentence);
        return;
    }
    log_info("restore.staged", "version=%s created=%s secrets=%s, waits for the next start",
             o->version, o->created, o->has_secrets ? "yes" : "no");
    for (size_t i = 0; i < o->missing.count; i++)
        log_warning("restore.secret_missing", "setting=%s is neither in the backup nor here",
                    o->missing.items[i]);
}

static void on_restored(uv_work_t *work, int status)
{
    struct backups *b = work->data;
    const struct restore_outcome *o = &b->outcome;
    const struct gateway_restored restored = {.version = o->version,
                                              .created = o->created,
                                              .has_secrets = o->has_secrets,
                                              .changed = &o->changed,
                                              .sentence = o->sentence,
                                              .faults = &o->faults};

    (void) status; /* nobody cancels it */
    log_restore(b);
    b->is_working = false;
    b->on_restore(b->user, b->cause == -ECANCELED ? E_CANCELLED : b->cause, &restored);
    forget_job(b);
    if (b->on_closed)
        finish_close(b);
}

struct backups *backups_new(struct uv_loop_s *loop, const struct config_file *file,
                            struct keeping *keeping, bool (*has_tokens)(const void *user),
                            const void *user)
{
    struct backups *b = xnew(struct backups, 1);

    b->loop = loop;
    b->file = file;
    b->keeping = file ? keeping : NULL;
    b->ask_tokens = has_tokens;
    b->ask_user = user;
    b->work.data = b;
    return b;
}

int backups_make(struct backups *b, const char *passphrase, gateway_backup_fn *done, void *user)
{
    int rc = take_job(b, /* path= */ NULL, passphrase, user);

    if (rc < 0)
        return rc;
    b->on_backup = done;
    b->backup = (struct gateway_backup){.created = clock_wall()};
    if (!keeping_flush(b->keeping, on_flushed, b))
        on_flushed(b, 0);
    return 0;
}

int backups_restore(struct backups *b, const char *path, const char *passphrase,
                    gateway_restore_fn *done, void *user)
{
    int rc = take_job(b, path, passphrase, user);

    if (rc < 0)
        return rc;
    b->on_restore = done;
    b->has_tokens = b->ask_tokens && b->ask_tokens(b->ask_user);
    (void) uv_queue_work(b->loop, &b->work, restore_work, on_restored);
    return 0;
}

void backups_close(struct backups *b, void (*on_closed)(void *user), void *user)
{
    b->on_closed = on_closed;
    b->closed_user = user;
    atomic_store(&b->is_cancelled, true);
    if (!b->is_working)
        finish_close(b);
}
