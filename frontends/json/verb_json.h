/* A request that comes as one object of fields, as MQTT carries it, and the answer to it. The
 * fields of such a request are those of path, query and body together. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "json/writer.h"

struct verb_json;

/* Reads the object; no octets at all are an empty one. 0, or -EBADMSG with a sentence in ret_detail
 * (it is not JSON, or no object). Free it in the first case alone. */
#define VERB_JSON_DETAIL_SIZE 256
int verb_json_read(const void *payload, size_t size, struct verb_json **ret_verb,
                   char ret_detail[VERB_JSON_DETAIL_SIZE]);
void verb_json_free(struct verb_json *v); /* accepts NULL */

/* The field "transaction" as JSON text, taken out of the fields; to be freed. NULL: there is none.
 */
char *verb_json_take_transaction(struct verb_json *v);

/* A field that is a text; NULL: absent, or something else. Valid while v is. */
const char *verb_json_text(const struct verb_json *v, const char *name);

/* Any field as JSON text, to be freed; NULL: absent or null. */
char *verb_json_copy(const struct verb_json *v, const char *name);

/* Fills the {parameters} of the path with the fields of their names, percent-encoded, and takes
 * those out. To be freed; NULL when one is absent or neither text nor number, with its name in
 * *ret_missing (at most 31 characters). */
#define VERB_JSON_PARAMETER_SIZE 32
char *verb_json_take_path(struct verb_json *v, const char *path,
                          char ret_missing[VERB_JSON_PARAMETER_SIZE]);

/* All fields that are left, as "?a=b&c=d" (lists repeat their name, objects and nulls are left
 * out), or "" when there are none; to be freed. */
char *verb_json_query(const struct verb_json *v);

/* All fields that are left, as a body; NULL when there are none. To be freed. */
char *verb_json_body(const struct verb_json *v);

/* {"data":BODY,"status":"ok","transaction":T}. body may be any JSON text; NULL is null.
 * transaction NULL: none was given. */
void verb_json_write_ok(struct writer *w, const char *body, size_t size, const char *transaction);

/* {"status":"error","error":SENTENCE,"code":CODE,…fields of the problem,"transaction":T} of a
 * problem document. */
void verb_json_write_problem(struct writer *w, const char *problem, size_t size,
                             const char *transaction);

/* {"data":{"status_code":N,"body":BODY},…}; a body that is no JSON is a text. */
void verb_json_write_http(struct writer *w, int status, bool is_json, const char *body, size_t size,
                          const char *transaction);
