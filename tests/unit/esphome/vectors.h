/* tests/data/noise_vectors.json for tests: whole, and octets out of its hex. A fault of the file
 * fails the test. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define VECTOR_MAX 512

struct octets {
    uint8_t data[VECTOR_MAX];
    size_t size;
};

/* The whole file; json_decref() it. */
json_t *vectors_load(void);

/* The case of that name; borrowed from the file. */
json_t *vectors_case(json_t *file, const char *name);

/* The octets at key. */
struct octets vectors_octets(const json_t *object, const char *key);
const char *vectors_text(const json_t *object, const char *key);

/* Octets of a hex text in a test. */
struct octets octets_of(const char *hex);
