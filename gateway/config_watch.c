/* The happy path: SIGHUP hands the file to the gateway, and one line tells what changed. The folder
 * of the file is watched, since editors replace files; when it has been quiet for a moment the
 * gateway looks whether the file is still the one that runs.
 *
 * Failure modes: a file with faults is told fault by fault, and everything runs on as before. Where
 * folders cannot be watched nobody warns; a change over the API is refused all the same. */
#include "config_watch.h"

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "gateway/gateway.h"

#define QUIET_MS 500 /* an editor writes in several steps */

struct config_watch {
    struct gateway *gateway;
    char *path, *name; /* of the file; its name in the folder */
    uv_fs_event_t folder;
    uv_timer_t quiet;
    struct gateway_change reload, check; /* under way while they have an order */
    bool wants_reload, wants_check;      /* once more, when that is over */
    bool is_warned;                      /* of the edit that is there */
    unsigned open_handles;
};

/* ---- reading it again ---- */

static char *join(const struct config_texts *texts, const char *between)
{
    struct buffer joined = {0};

    for (size_t i = 0; i < texts->count; i++)
        buffer_append_format(&joined, "%s%s", i ? between : "", texts->items[i]);
    return buffer_take_text(&joined);
}

static void tell_faults(const struct config_watch *w, const struct config_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        log_warning("config.fault", "pointer=%s %s", faults->items[i].pointer,
                    faults->items[i].detail);
    log_warning("config.refused", "file=\"%s\" faults=%zu everything runs on as before", w->path,
                faults->count + faults->more);
}

static void tell_change(const struct config_watch *w, const struct config_edited *edited)
{
    char *changed AUTO_FREE = join(&edited->changed, ",");
    char *restart AUTO_FREE = join(&edited->restart_required, ",");

    if (!edited->is_changed)
        log_info("config.unchanged", "file=\"%s\" nothing to do", w->path);
    else
        log_info("config.reloaded", "file=\"%s\" changed=\"%s\"", w->path, changed);
    if (edited->restart_required.count > 0)
        log_warning("config.restart_required", "settings=\"%s\" count from the next start on",
                    restart);
}

/* Whoever sent the signal, it is in the record. */
static void note_change(const struct config_watch *w, const struct config_edited *edited)
{
    char *changed AUTO_FREE = join(&edited->changed, "\n");

    gateway_audit(w->gateway, &(struct audit_entry){
                                      .class = AUDIT_ADMIN,
                                      .role = ACCOUNT_ADMIN,
                                      .status = 200,
                                      .actor = "signal",
                                      .action = "SIGHUP",
                                      .changed = changed,
                              });
}

static void on_reloaded(struct gateway_change *change, int cause,
                        const struct config_edited *edited)
{
    struct config_watch *w = CONTAINER_OF(change, struct config_watch, reload);

    if (cause == 0) {
        w->is_warned = false;
        tell_change(w, edited);
        if (edited->is_changed)
            note_change(w, edited);
    } else if (cause == E_INVALID_REQUEST) {
        w->is_warned = true; /* the faults say it already */
        tell_faults(w, &edited->faults);
    } else if (cause != E_SHUTTING_DOWN) {
        log_warning("config.refused", "file=\"%s\" error=\"%s\" everything runs on as before",
                    w->path, error_sentence(cause));
    }
    if (w->wants_reload)
        config_watch_reload(w);
}

void config_watch_reload(struct config_watch *w)
{
    int rc;

    w->wants_reload = w->reload.order != NULL;
    if (w->wants_reload)
        return;
    rc = gateway_reload_config(w->gateway, &w->reload);
    if (rc < 0)
        log_warning("config.refused", "file=\"%s\" error=\"%s\" not read again", w->path,
                    error_sentence(rc));
}

/* ---- noticing an edit ---- */

static void on_checked(struct gateway_change *change, int cause, const struct config_edited *edited)
{
    struct config_watch *w = CONTAINER_OF(change, struct config_watch, check);

    if (w->wants_check)
        (void) uv_timer_again(&w->quiet);
    w->wants_check = false;
    if (cause != 0)
        return; /* being replaced, perhaps: the next event tells */
    if (edited->is_foreign && !w->is_warned)
        log_warning("config.edited",
                    "file=\"%s\" was edited and does not run yet: SIGHUP (systemctl reload "
                    "blefleet) applies it, and until then nothing is changed over the API",
                    w->path);
    w->is_warned = edited->is_foreign;
}

static void on_quiet(uv_timer_t *timer)
{
    struct config_watch *w = timer->data;

    (void) uv_timer_stop(timer);
    w->wants_check = w->check.order != NULL;
    if (!w->wants_check)
        (void) gateway_check_config(w->gateway, &w->check); /* refused: a change says it later */
}

static void on_folder_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct config_watch *w = event->data;

    (void) events;
    if (status == 0 && (!name || strcmp(name, w->name) == 0))
        (void) uv_timer_start(&w->quiet, on_quiet, QUIET_MS, QUIET_MS);
}

/* ---- life ---- */

static void watch_folder(struct config_watch *w)
{
    char *folder AUTO_FREE = memory_copy_text(w->path);
    int rc = uv_fs_event_start(&w->folder, on_folder_event, dirname(folder), 0);

    if (rc < 0)
        log_info("config.not_watched",
                 "file=\"%s\" error=\"%s\" edits are not noticed by themselves", w->path,
                 uv_strerror(rc));
}

struct config_watch *config_watch_new(struct uv_loop_s *loop, struct gateway *g, const char *path)
{
    struct config_watch *w = xnew(struct config_watch, 1);
    char *resolved = realpath(path, NULL); /* where changes are written */
    const char *slash;

    w->gateway = g;
    w->path = resolved ? resolved : memory_copy_text(path);
    slash = strrchr(w->path, '/');
    w->name = memory_copy_text(slash ? slash + 1 : w->path);
    w->reload.done = on_reloaded;
    w->check.done = on_checked;
    (void) uv_fs_event_init(loop, &w->folder); /* neither can fail */
    (void) uv_timer_init(loop, &w->quiet);
    w->folder.data = w->quiet.data = w;
    w->open_handles = 2;
    watch_folder(w);
    return w;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct config_watch *w = handle->data;

    if (--w->open_handles > 0)
        return;
    free(w->path);
    free(w->name);
    free(w);
}

void config_watch_close(struct config_watch *w)
{
    if (!w)
        return;
    if (w->reload.order)
        gateway_change_cancel(&w->reload);
    if (w->check.order)
        gateway_change_cancel(&w->check);
    uv_close((uv_handle_t *) &w->folder, on_handle_closed);
    uv_close((uv_handle_t *) &w->quiet, on_handle_closed);
}
