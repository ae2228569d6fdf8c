#include "merge_patch.h"

/* An object that nobody shares, in its place. */
static json_t *own(json_t *target, const char *key)
{
    json_t *there = json_object_get(target, key);
    json_t *copy = json_is_object(there) ? json_copy(there) : json_object();

    (void) json_object_set_new(target, key, copy);
    return copy;
}

void merge_patch(json_t *target, json_t *patch)
{
    const char *key;
    json_t *value;

    json_object_foreach(patch, key, value)
    {
        if (json_is_null(value))
            (void) json_object_del(target, key);
        else if (json_is_object(value))
            merge_patch(own(target, key), value);
        else
            (void) json_object_set(target, key, value);
    }
}
