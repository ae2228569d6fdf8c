/* The story: what of a request outlives the transport's buffers is copied at its beginning; at its
 * end the status decides: requests for more than to read are noted whatever came of them, all
 * others only when somebody was refused. */
#include "audit_note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

#define API "/api/v1"

struct rest_audit {
    enum rest_role needs;
    char actor[AUDIT_ACTOR_SIZE], remote[AUDIT_REMOTE_SIZE], action[AUDIT_ACTION_SIZE];
};

static const char *actor_of(const struct rest_request *request)
{
    const struct account_identity *identity = request->identity;

    if (!identity)
        return request->client ? request->client : "nobody";
    if (identity->via == ACCOUNT_VIA_LOOPBACK)
        return "loopback";
    return identity->name[0] ? identity->name : "nobody";
}

/* "PUT /devices/…/connection", "mqtt connect /devices/…/connection": without the query, which may
 * hold values. */
static void write_action(const struct rest_request *request, char ret_action[AUDIT_ACTION_SIZE])
{
    const char *path = request->target;
    size_t api = strlen(API);
    int length;

    if (strncmp(path, API, api) == 0 && path[api] == '/')
        path += api;
    length = (int) strnlen(path, AUDIT_ACTION_SIZE);
    length = (int) strcspn(path, "?") < length ? (int) strcspn(path, "?") : length;
    if (request->verb && strcmp(request->verb, "http") != 0)
        (void) snprintf(ret_action, AUDIT_ACTION_SIZE, "mqtt %.32s %.*s", request->verb, length,
                        path);
    else
        (void) snprintf(ret_action, AUDIT_ACTION_SIZE, "%s%.16s %.*s",
                        request->verb ? "mqtt http " : "", request->method, length, path);
}

static bool is_refusal(int status)
{
    return status == 401 || status == 403 || status == 429;
}

static enum audit_class class_of(const struct rest_audit *note, int status)
{
    if (is_refusal(status))
        return AUDIT_REFUSED;
    return note->needs == REST_ROLE_ADMIN ? AUDIT_ADMIN : AUDIT_CONTROL;
}

/* Of nobody it is the role that would have been needed. */
static enum account_role role_of(const struct rest_request *request, const struct rest_audit *note)
{
    enum rest_role role = request->role != REST_ROLE_NONE ? request->role : note->needs;

    return role != REST_ROLE_NONE ? (enum account_role) role : ACCOUNT_READ;
}

void audit_note_begin(struct rest_request *request, enum rest_role needs)
{
    struct rest_audit *note = xnew(struct rest_audit, 1);

    note->needs = needs;
    (void) snprintf(note->actor, sizeof note->actor, "%s", actor_of(request));
    (void) snprintf(note->remote, sizeof note->remote, "%s",
                    request->remote ? request->remote : "");
    write_action(request, note->action);
    request->audit = note;
}

void audit_note_finish(struct gateway *g, struct rest_request *request)
{
    struct rest_audit *note AUTO_FREE = TAKE(request->audit);
    char *changed AUTO_FREE = TAKE(request->changed);
    int status = request->answer.status;

    if (!note || (note->needs <= REST_ROLE_READ && !is_refusal(status)))
        return;
    gateway_audit(g, &(struct audit_entry){
                             .class = class_of(note, status),
                             .role = role_of(request, note),
                             .status = status,
                             .actor = note->actor,
                             .remote = note->remote[0] ? note->remote : NULL,
                             .action = note->action,
                             .changed = changed ? changed : "",
                     });
}

void rest_note_changed(struct rest_request *request, const struct config_texts *pointers)
{
    struct buffer lines = {0};

    for (size_t i = 0; i < pointers->count; i++)
        buffer_append_format(&lines, "%s%s", i ? "\n" : "", pointers->items[i]);
    free(request->changed);
    request->changed = buffer_take_text(&lines);
}
