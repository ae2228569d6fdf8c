#include "body.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/error.h"

#define UNKNOWN_MAX 100 /* fields of one body that are named; a client can send a million */

/* RFC 6901: "~" and "/" of a key are written "~0" and "~1". */
static void append_pointer_part(struct buffer *b, const char *key)
{
    buffer_append_char(b, '/');
    for (; *key; key++) {
        if (*key == '~')
            buffer_append_text(b, "~0");
        else if (*key == '/')
            buffer_append_text(b, "~1");
        else
            buffer_append_char(b, *key);
    }
}

static void report_unknown(json_t *object, body_unknown_fn *on_unknown, void *user)
{
    struct buffer pointer = {0};
    size_t count = 0;
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (count++ == UNKNOWN_MAX)
            break;
        buffer_clear(&pointer);
        append_pointer_part(&pointer, key);
        buffer_append_char(&pointer, '\0');
        on_unknown(user, (const char *) buffer_front(&pointer));
    }
    buffer_done(&pointer);
}

int body_read_empty(const void *body, size_t size, body_unknown_fn *on_unknown, void *user,
                    char ret_detail[BODY_DETAIL_SIZE])
{
    json_error_t error;
    json_t *root;
    int result = 0;

    if (size == 0)
        return 0;
    root = json_loadb(body, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                      &error);
    if (!root) {
        snprintf(ret_detail, BODY_DETAIL_SIZE, "the body is not JSON: line %d, column %d: %s",
                 error.line, error.column, error.text);
        return -EBADMSG;
    }
    if (!json_is_object(root)) {
        on_unknown(user, "");
        result = E_INVALID_REQUEST;
    } else if (json_object_size(root) > 0) {
        report_unknown(root, on_unknown, user);
        result = E_INVALID_REQUEST;
    }
    json_decref(root);
    return result;
}
