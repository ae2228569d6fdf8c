#include "verb_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct verb_json {
    json_t *fields; /* an object */
};

#define READ_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)
#define TEXT_FLAGS (JSON_COMPACT | JSON_ENCODE_ANY)

/* ---- reading ---- */

int verb_json_read(const void *payload, size_t size, struct verb_json **ret_verb,
                   char ret_detail[VERB_JSON_DETAIL_SIZE])
{
    json_error_t error;
    json_t *root = size > 0 ? json_loadb(payload, size, READ_FLAGS, &error) : json_object();

    if (!root) {
        (void) snprintf(ret_detail, VERB_JSON_DETAIL_SIZE,
                        "the payload is not JSON: line %d, column %d: %s", error.line, error.column,
                        error.text);
        return -EBADMSG;
    }
    if (!json_is_object(root)) {
        json_decref(root);
        (void) snprintf(ret_detail, VERB_JSON_DETAIL_SIZE, "the payload must be an object");
        return -EBADMSG;
    }
    *ret_verb = xnew(struct verb_json, 1);
    (*ret_verb)->fields = root;
    return 0;
}

void verb_json_free(struct verb_json *v)
{
    if (!v)
        return;
    json_decref(v->fields);
    free(v);
}

char *verb_json_take_transaction(struct verb_json *v)
{
    json_t *value = json_object_get(v->fields, "transaction");
    char *text = value ? json_dumps(value, TEXT_FLAGS) : NULL;

    (void) json_object_del(v->fields, "transaction");
    return text;
}

const char *verb_json_text(const struct verb_json *v, const char *name)
{
    return json_string_value(json_object_get(v->fields, name));
}

char *verb_json_copy(const struct verb_json *v, const char *name)
{
    const json_t *value = json_object_get(v->fields, name);

    return value && !json_is_null(value) ? json_dumps(value, TEXT_FLAGS) : NULL;
}

/* ---- targets ---- */

static void append_encoded(struct buffer *b, const char *text)
{
    static const char unreserved[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (; *text; text++) {
        if (strchr(unreserved, *text))
            buffer_append_char(b, *text);
        else
            buffer_append_format(b, "%%%02X", (unsigned char) *text);
    }
}

/* False for what a target cannot hold. */
static bool append_value(struct buffer *b, const json_t *value)
{
    char *text AUTO_FREE = NULL;

    if (json_is_string(value)) {
        append_encoded(b, json_string_value(value));
        return true;
    }
    if (!json_is_number(value) && !json_is_boolean(value))
        return false;
    text = json_dumps(value, TEXT_FLAGS);
    append_encoded(b, text);
    return true;
}

/* A handle is a number; in a path four digits would be a UUID. */
static bool append_parameter(struct buffer *b, const json_t *value)
{
    if (json_is_integer(value)) {
        buffer_append_format(b, "%05lld", (long long) json_integer_value(value));
        return true;
    }
    if (!json_is_string(value) || !*json_string_value(value))
        return false;
    append_encoded(b, json_string_value(value));
    return true;
}

char *verb_json_take_path(struct verb_json *v, const char *path,
                          char ret_missing[VERB_JSON_PARAMETER_SIZE])
{
    struct buffer b = {0};
    size_t size;

    for (; *path; path += size) {
        size = strcspn(path, "{");
        buffer_append(&b, path, size);
        if (!path[size])
            break;
        path += size + 1;
        size = strcspn(path, "}");
        (void) snprintf(ret_missing, VERB_JSON_PARAMETER_SIZE, "%.*s", (int) size, path);
        if (!append_parameter(&b, json_object_get(v->fields, ret_missing))) {
            buffer_done(&b);
            return NULL;
        }
        (void) json_object_del(v->fields, ret_missing);
        size++;
    }
    return buffer_take_text(&b);
}

static void append_pair(struct buffer *b, const char *name, const json_t *value)
{
    size_t before = buffer_size(b);
    struct buffer text = {0};

    if (append_value(&text, value)) {
        buffer_append_char(b, before > 0 ? '&' : '?');
        append_encoded(b, name);
        buffer_append_char(b, '=');
        buffer_append(b, buffer_front(&text), buffer_size(&text));
    }
    buffer_done(&text);
}

char *verb_json_query(const struct verb_json *v)
{
    struct buffer b = {0};
    const char *name;
    json_t *value, *item;
    size_t i;

    json_object_foreach(v->fields, name, value)
    {
        if (!json_is_array(value)) {
            append_pair(&b, name, value);
            continue;
        }
        json_array_foreach(value, i, item) append_pair(&b, name, item);
    }
    return buffer_take_text(&b);
}

char *verb_json_body(const struct verb_json *v)
{
    return json_object_size(v->fields) > 0 ? json_dumps(v->fields, TEXT_FLAGS) : NULL;
}

/* ---- answers ---- */

static void write_end(struct writer *w, const char *status, const char *transaction)
{
    if (status)
        writer_text(w, "status", status);
    if (transaction)
        writer_json(w, "transaction", transaction, strlen(transaction));
    writer_end_object(w);
}

static void write_body(struct writer *w, const char *key, const char *body, size_t size)
{
    if (body && size > 0)
        writer_json(w, key, body, size);
    else
        writer_null(w, key);
}

void verb_json_write_ok(struct writer *w, const char *body, size_t size, const char *transaction)
{
    writer_begin_object(w, NULL);
    write_body(w, "data", body, size);
    write_end(w, "ok", transaction);
}

static bool is_own_field(const char *name)
{
    static const char *const own[] = {"type", "title", "status", "detail", "code", "error"};

    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (strcmp(name, own[i]) == 0)
            return true;
    }
    return false;
}

void verb_json_write_problem(struct writer *w, const char *problem, size_t size,
                             const char *transaction)
{
    json_t *root = json_loadb(problem, size, 0, NULL), *value;
    const char *detail = json_string_value(json_object_get(root, "detail")), *name;

    writer_begin_object(w, NULL);
    writer_text(w, "status", "error");
    writer_text(w, "error", detail ? detail : json_string_value(json_object_get(root, "title")));
    writer_text(w, "code", json_string_value(json_object_get(root, "code")));
    json_object_foreach(root, name, value)
    {
        char *text AUTO_FREE = is_own_field(name) ? NULL : json_dumps(value, TEXT_FLAGS);

        if (text)
            writer_json(w, name, text, strlen(text));
    }
    write_end(w, NULL, transaction);
    json_decref(root);
}

void verb_json_write_http(struct writer *w, int status, bool is_json, const char *body, size_t size,
                          const char *transaction)
{
    writer_begin_object(w, NULL);
    writer_begin_object(w, "data");
    writer_integer(w, "status_code", status);
    if (is_json || !body)
        write_body(w, "body", body, size);
    else
        writer_text_sized(w, "body", body, size);
    writer_end_object(w);
    write_end(w, "ok", transaction);
}
