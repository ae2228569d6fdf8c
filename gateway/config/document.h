/* A configuration as JSON: values by their dotted keys ("mqtt.tls.ca"), and the names that such
 * keys may have. Documents share what is equal in them, so nothing in a document is changed in
 * place but its outermost object. Inside this room only. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define DOCUMENT_KEY_SIZE 128 /* room for any dotted key */

/* JSON text, whose objects may not have a key twice (a new reference); NULL: it is none. */
json_t *document_read(const char *text, size_t size);

/* As people read it: indented, with a line end behind; numbers keep their value, with as few digits
 * as that takes. Wipe and free it. */
char *document_write(const json_t *document, size_t *ret_size);

/* For JSON_REAL_PRECISION(): how many digits keep all numbers what they are. */
size_t document_digits(const json_t *document);

/* The value, or NULL. Borrowed. */
json_t *document_get(const json_t *document, const char *key);

/* Puts the value there and makes the objects on the way; NULL removes what is there. Takes the
 * reference. Documents that share these objects keep theirs. */
void document_put(json_t *document, const char *key, json_t *value);

/* "mqtt.tls.ca" -> "/mqtt/tls/ca" */
struct buffer;
void document_append_pointer(struct buffer *out, const char *key);

/* The dotted keys of all settings and lists, by number; NULL at the end. Static. */
const char *document_key(size_t index);

/* Whether "mqtt.tls" is the path of an object that holds settings. */
bool document_is_section(const char *path);
