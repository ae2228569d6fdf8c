#include "handlers_backup.h"

#include <string.h>

#include "rest/backup_wait.h"
#include "rest/handlers.h"
#include "json/writer.h"

#define PASSPHRASE_MIN 12   /* characters */
#define PASSPHRASE_MAX 1024 /* octets */

const struct body_rule handlers_backup_request[] = {
        {.name = "secrets", .type = BODY_BOOL},
        {.name = "passphrase", .type = BODY_TEXT, .high = PASSPHRASE_MAX},
        {0},
};

/* Characters of UTF-8: octets that begin one. */
static size_t count_characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char) *text & 0xc0) != 0x80;
    return count;
}

static bool is_passphrase(const char *text)
{
    return count_characters(text) >= PASSPHRASE_MIN && strlen(text) <= PASSPHRASE_MAX;
}

static int refuse(struct call *call, const char *pointer, const char *detail)
{
    struct faults faults = {0};

    faults_add(&faults, pointer, "%s", detail);
    faults_answer(&faults, &call->request->answer);
    faults_done(&faults);
    return REST_ANSWERED;
}

int handlers_back_up(struct call *call)
{
    const char *passphrase = body_text(call->body, "passphrase");
    bool says_without = !body_bool(call->body, "secrets", true);

    if (passphrase && says_without)
        return refuse(call, "/passphrase", "there is nothing to encrypt without secrets");
    if (!passphrase && !says_without)
        return refuse(call, "/passphrase",
                      "secrets need a passphrase; {\"secrets\":false} makes a backup without them");
    if (passphrase && !is_passphrase(passphrase))
        return refuse(call, "/passphrase", "must have 12 to 1024 characters");
    return backup_wait_begin(call->gateway, call->pendings, call->request, passphrase);
}

int handlers_restore(struct call *call)
{
    const struct rest_request *request = call->request;

    if (!rest_has_type(request, "application/vnd.sqlite3")) {
        rest_refuse(&call->request->answer, 415, E_UNSUPPORTED_MEDIA_TYPE,
                    "a backup is application/vnd.sqlite3");
        return REST_ANSWERED;
    }
    if (!request->body_file) {
        rest_refuse(&call->request->answer, 400, E_INVALID_REQUEST, "there is no backup in it");
        return REST_ANSWERED;
    }
    if (request->passphrase && !is_passphrase(request->passphrase))
        return refuse(call, "", "the header Blefleet-Passphrase must have 12 to 1024 characters");
    return restore_wait_begin(call->gateway, call->pendings, call->request);
}

int handlers_restart(struct call *call)
{
    struct writer w = {0};

    if (!gateway_restart(call->gateway)) {
        rest_refuse(&call->request->answer, 503, E_SHUTTING_DOWN, "nobody can start it again");
        return REST_ANSWERED;
    }
    writer_begin_object(&w, NULL);
    writer_bool(&w, "restarting", true);
    writer_end_object(&w);
    answer_set_json(&call->request->answer, 202, &w);
    return REST_ANSWERED;
}
