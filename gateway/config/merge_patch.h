/* A merge patch (RFC 7396): what is null goes, objects are merged, all else replaces. Pure. */
#pragma once

#include <jansson.h>

/* Both are objects, borrowed; values of the patch are shared with the target afterwards. What the
 * target holds may be shared with other documents: it is copied before it changes. */
void merge_patch(json_t *target, json_t *patch);
