/* The story: the gateway works, and the request is answered with what it tells. A request that is
 * cancelled is answered at once; the work goes on, and what it tells then is for nobody. Until that
 * has come, the gateway refuses another. */
#include "backup_wait.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "rest/faults.h"

struct backup_wait {
    struct pending pending;
    bool is_running, is_over; /* of the work; of the request */
};

/* Whoever is over last, the request or the work. */
static void on_release(struct pending *pending)
{
    struct backup_wait *wait = CONTAINER_OF(pending, struct backup_wait, pending);

    wait->is_over = true;
    if (!wait->is_running)
        free(wait);
}

/* NULL: nobody waits for the answer any more. */
static struct answer *end_work(struct backup_wait *wait)
{
    wait->is_running = false;
    if (!wait->is_over)
        return &wait->pending.request->answer;
    free(wait);
    return NULL;
}

static void answer_failure(int cause, const char *what, struct answer *ret_answer)
{
    char detail[160];

    switch (cause) {
    case E_OVERLOADED:
        rest_refuse(ret_answer, 503, cause, "a backup is being made or restored already");
        return;
    case E_CANCELLED:
    case E_SHUTTING_DOWN:
        rest_refuse(ret_answer, 503, E_SHUTTING_DOWN, NULL);
        return;
    case E_CONFLICT:
        rest_refuse(
                ret_answer, 500, E_INTERNAL,
                "the configuration file has faults, and nobody could restore it: mend it first");
        return;
    case -EROFS:
        rest_refuse(ret_answer, 500, E_INTERNAL, "this gateway keeps nothing");
        return;
    default:
        (void) snprintf(detail, sizeof detail, "%s: %.100s", what, error_sentence(cause));
        rest_refuse(ret_answer, 500, E_INTERNAL, detail);
    }
}

/* ---- backup ---- */

/* "blefleet-20261121T100512Z.sqlite3" */
static void name_file(int64_t created, struct answer *ret_answer)
{
    time_t seconds = (time_t) (created / 1000000);
    char stamp[24];
    struct tm tm;

    (void) gmtime_r(&seconds, &tm);
    (void) strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    answer_add_header(ret_answer, "Content-Disposition",
                      "attachment; filename=\"blefleet-%s.sqlite3\"", stamp);
}

static void on_backup(void *user, int cause, const struct gateway_backup *backup)
{
    struct backup_wait *wait = user;
    struct answer *answer = end_work(wait);

    if (!answer) {
        if (backup)
            (void) close(backup->fd);
        return;
    }
    if (backup) {
        answer_set_file(answer, "application/vnd.sqlite3", backup->fd, backup->size);
        name_file(backup->created, answer);
    } else {
        answer_failure(cause, "the backup cannot be made", answer);
    }
    pending_finish(&wait->pending);
}

/* ---- restore ---- */

static void write_texts(struct writer *w, const char *key, const struct config_texts *texts)
{
    writer_begin_array(w, key);
    for (size_t i = 0; i < texts->count; i++)
        writer_text(w, NULL, texts->items[i]);
    writer_end_array(w);
}

static void answer_staged(const struct gateway_restored *restored, struct answer *ret_answer)
{
    struct writer w = {0};

    writer_begin_object(&w, NULL);
    writer_text(&w, "version", restored->version);
    writer_text(&w, "created", restored->created);
    writer_bool(&w, "secrets", restored->has_secrets);
    write_texts(&w, "restart_required", restored->changed);
    writer_end_object(&w);
    answer_set_json(ret_answer, 200, &w);
}

/* What is no database cannot be read; the rest is read and not valid. */
static void answer_faults(int cause, const struct gateway_restored *restored,
                          struct answer *ret_answer)
{
    const struct config_faults *found = restored->faults;
    struct faults faults = {0};

    if (cause == -EBADMSG)
        faults_add_unreadable(&faults, "%s", restored->sentence);
    else if (restored->sentence[0])
        faults_add(&faults, "", "%s", restored->sentence);
    for (size_t i = 0; i < found->count; i++) {
        struct buffer pointer = {0};
        char *text AUTO_FREE = NULL;

        buffer_append_format(&pointer, "/configuration%s", found->items[i].pointer);
        text = buffer_take_text(&pointer);
        faults_add(&faults, text, "%s", found->items[i].detail);
    }
    faults_answer(&faults, ret_answer);
    faults_done(&faults);
}

static void on_restored(void *user, int cause, const struct gateway_restored *restored)
{
    struct backup_wait *wait = user;
    struct answer *answer = end_work(wait);

    if (!answer)
        return;
    if (cause == 0)
        answer_staged(restored, answer);
    else if (cause == -EBADMSG || cause == E_INVALID_REQUEST)
        answer_faults(cause, restored, answer);
    else
        answer_failure(cause, "the backup cannot be staged", answer);
    pending_finish(&wait->pending);
}

/* ---- both ---- */

/* After the gateway has taken it (0) or not. */
static int begin(struct pendings *pendings, struct rest_request *request, struct backup_wait *wait,
                 int rc)
{
    if (rc == 0)
        return pendings_add(pendings, &wait->pending, request, on_release);
    answer_failure(rc, "it cannot begin", &request->answer);
    free(wait);
    return REST_ANSWERED;
}

/* NULL: the request cannot wait, which is answered. */
static struct backup_wait *new_wait(struct pendings *pendings, struct rest_request *request)
{
    struct backup_wait *wait;

    if (pendings_are_full(pendings)) {
        rest_refuse(&request->answer, 503, E_OVERLOADED, "too many requests wait already");
        return NULL;
    }
    wait = xnew(struct backup_wait, 1);
    wait->is_running = true;
    return wait;
}

int backup_wait_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request,
                      const char *passphrase)
{
    struct backup_wait *wait = new_wait(pendings, request);

    return wait ? begin(pendings, request, wait, gateway_back_up(g, passphrase, on_backup, wait))
                : REST_ANSWERED;
}

int restore_wait_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request)
{
    struct backup_wait *wait = new_wait(pendings, request);

    return wait ? begin(pendings, request, wait,
                        gateway_restore(g, request->body_file, request->passphrase, on_restored,
                                        wait))
                : REST_ANSWERED;
}
