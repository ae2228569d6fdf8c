/* Reads request bodies; the one home of jansson among the faces. Pure. */
#pragma once

#include <stddef.h>

/* Called with the JSON Pointer of each field that should not be there. */
typedef void body_unknown_fn(void *user, const char *pointer);

/* For requests that take no fields: the body is nothing, or an empty object. Returns 0; -EBADMSG
 * when it is not JSON, with a sentence in ret_detail; E_INVALID_REQUEST when it is JSON with
 * something in it (on_unknown was called for the first fields, or with "" for what is no object).
 */
#define BODY_DETAIL_SIZE 256
int body_read_empty(const void *body, size_t size, body_unknown_fn *on_unknown, void *user,
                    char ret_detail[BODY_DETAIL_SIZE]);
