#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

json_t *vectors_load(void)
{
    json_t *file = json_load_file(TEST_DATA "/noise_vectors.json", 0, NULL);

    assert_non_null(file);
    return file;
}

json_t *vectors_case(json_t *file, const char *name)
{
    size_t i;
    json_t *c;

    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        if (strcmp(vectors_text(c, "name"), name) == 0)
            return c;
    }
    fail_msg("no case \"%s\"", name);
    return NULL;
}

const char *vectors_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (!text)
        fail_msg("no text at \"%s\"", key);
    return text;
}

struct octets vectors_octets(const json_t *object, const char *key)
{
    return octets_of(vectors_text(object, key));
}

struct octets octets_of(const char *hex)
{
    struct octets octets;

    assert_true(bytes_from_hex(octets.data, sizeof octets.data, hex, strlen(hex), &octets.size));
    return octets;
}
