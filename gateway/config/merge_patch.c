#include "merge_patch.h"

void merge_patch(json_t *target, json_t *patch)
{
    const char *key;
    json_t *value;

    json_object_foreach(patch, key, value)
    {
        if (json_is_null(value)) {
            (void) json_object_del(target, key);
        } else if (json_is_object(value)) {
            if (!json_is_object(json_object_get(target, key)))
                (void) json_object_set_new(target, key, json_object());
            merge_patch(json_object_get(target, key), value);
        } else {
            (void) json_object_set(target, key, value);
        }
    }
}
