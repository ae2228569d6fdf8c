/* What a request may do to whom: its target in the tree, and whether the rules allow it. */
#pragma once

#include "gatt/gatt.h"

/* Whether it can only be answered with a tree. */
bool target_needs_tree(const struct gatt_wish *wish);
/* 0, or why not: CHARACTERISTIC_NOT_FOUND, _AMBIGUOUS, DESCRIPTOR_NOT_FOUND, NOT_PERMITTED,
 * USE_SUBSCRIPTION, VALUE_TOO_LONG. tree NULL: none is known, nothing but the length is checked.
 * Sets the answer's handle, entry, handles, with_response and max as far as they are known; the
 * type of a subscription becomes the one that it is to be in *type. */
int target_check(const struct gatt_tree *tree, const struct gatt_wish *wish, uint32_t mtu,
                 struct gatt_answer *ret_answer, enum gatt_subscription_type *ret_type);
