/* The story: reading answers at once from what runs; whatever touches the file is handed to the
 * gateway and waits, and is answered when the change runs.
 *
 * Failure modes: what the gateway refuses becomes a problem (change_problem). Whoever gives up does
 * not stop the change, which may be on the disk already. */
#include "handlers_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/change_wait.h"

/* ---- answers ---- */

static void set_etag(const struct gateway *g, struct answer *ret_answer)
{
    answer_add_header(ret_answer, "ETag", "%s", gateway_config_etag(g));
}

static void set_config(const struct config *config, struct answer *ret_answer)
{
    char *dump AUTO_FREE = config_dump(config, /* with_secrets= */ false);
    struct writer w = {0};

    writer_json(&w, NULL, dump, strlen(dump));
    answer_set_json(ret_answer, 200, &w);
}

static void write_texts(struct writer *w, const char *key, const struct config_texts *texts)
{
    writer_begin_array(w, key);
    for (size_t i = 0; i < texts->count; i++)
        writer_text(w, NULL, texts->items[i]);
    writer_end_array(w);
}

static void answer_applied(struct change_wait *wait, const struct config_edited *edited,
                           struct answer *ret_answer)
{
    struct writer w = {0};

    writer_begin_object(&w, NULL);
    write_texts(&w, "changed", &edited->changed);
    write_texts(&w, "restart_required", &edited->restart_required);
    writer_end_object(&w);
    answer_set_json(ret_answer, 200, &w);
    set_etag(wait->gateway, ret_answer);
}

static void answer_versions(struct change_wait *wait, const struct config_edited *edited,
                            struct answer *ret_answer)
{
    const struct config_versions *versions = wait->change.versions;
    struct writer w = {0};

    (void) edited;
    writer_begin_object(&w, NULL);
    writer_begin_array(&w, "items");
    for (size_t i = 0; i < versions->count; i++) {
        writer_begin_object(&w, NULL);
        writer_integer(&w, "version", versions->items[i].number);
        writer_time(&w, "time", versions->items[i].written);
        writer_unsigned(&w, "size", versions->items[i].size);
        writer_end_object(&w);
    }
    writer_end_array(&w);
    writer_end_object(&w);
    answer_set_json(ret_answer, 200, &w);
    set_etag(wait->gateway, ret_answer);
}

static void answer_version(struct change_wait *wait, const struct config_edited *edited,
                           struct answer *ret_answer)
{
    (void) wait;
    set_config(edited->config, ret_answer);
}

/* ---- waiting ---- */

static void release(struct change_wait *wait)
{
    free(wait);
}

/* NULL: no more requests may wait, which is answered. */
static struct change_wait *new_wait(struct call *call, change_wait_answer_fn *answer)
{
    struct change_wait *wait;

    if (!change_wait_is_possible(call))
        return NULL;
    wait = xnew(struct change_wait, 1);
    change_wait_init(wait, call, E_NOT_FOUND, answer, release);
    return wait;
}

/* ---- the whole ---- */

int handlers_config(struct call *call)
{
    struct answer *answer = &call->request->answer;
    const char *known = call->request->if_none_match;

    if (known && config_file_is_etag_in(known, gateway_config_etag(call->gateway)))
        answer->status = 304;
    else
        set_config(gateway_config(call->gateway), answer);
    set_etag(call->gateway, answer);
    return REST_ANSWERED;
}

int handlers_config_schema(struct call *call)
{
    char *schema AUTO_FREE = config_schema_text();
    struct writer w = {0};

    writer_json(&w, NULL, schema, strlen(schema));
    answer_set_json(&call->request->answer, 200, &w);
    return REST_ANSWERED;
}

static int change_config(struct call *call, enum config_edit_kind kind)
{
    const struct config_edit edit = {.kind = kind,
                                     .patch = call->request->body,
                                     .patch_size = call->request->body_size,
                                     .pointer = "",
                                     .if_match = call->request->if_match};
    struct change_wait *wait = new_wait(call, answer_applied);

    if (!wait)
        return REST_ANSWERED;
    return change_wait_begin(wait, call,
                             gateway_change_config(call->gateway, &edit, &wait->change));
}

int handlers_put_config(struct call *call)
{
    return change_config(call, CONFIG_EDIT_REPLACE);
}

int handlers_patch_config(struct call *call)
{
    return change_config(call, CONFIG_EDIT_MERGE);
}

/* ---- versions ---- */

/* "3"; what is no number is a version that is not there. */
static int version_of(const char *text)
{
    return text[0] >= '0' && text[0] <= '9' && !text[1] ? text[0] - '0' : 0;
}

int handlers_config_versions(struct call *call)
{
    struct change_wait *wait = new_wait(call, answer_versions);

    if (!wait)
        return REST_ANSWERED;
    return change_wait_begin(wait, call,
                             gateway_list_config_versions(call->gateway, &wait->change));
}

int handlers_config_version(struct call *call)
{
    int version = version_of(call->parameters[0]);
    struct change_wait *wait = new_wait(call, answer_version);

    if (!wait)
        return REST_ANSWERED;
    return change_wait_begin(wait, call,
                             gateway_read_config_version(call->gateway, version, &wait->change));
}

int handlers_restore_config(struct call *call)
{
    int version = version_of(call->parameters[0]);
    struct change_wait *wait = new_wait(call, answer_applied);

    if (!wait)
        return REST_ANSWERED;
    return change_wait_begin(
            wait, call,
            gateway_restore_config(call->gateway, version, call->request->if_match, &wait->change));
}
