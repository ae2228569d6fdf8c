/* The tree of one link: from the cache or discovered, checked, doubted. For the files of this room
 * alone. */
#pragma once

#include "gatt/gatt_core.h"

/* A link that lives longer is held for something: Service Changed is worth a subscription. */
usec_t link_tree_linger(const struct gatt *g);
/* The link is open: what the cache knows of the device. */
void link_tree_begin(struct gatt *g, struct peer *p);
/* The link is gone. */
void link_tree_end(struct peer *p);

/* Whether the proxy can be asked on this link, or has been and is about to answer. */
bool link_tree_can_ask(const struct peer *p);
/* Asks, if it was not asked; the request (NULL: nobody) waits for the answer. */
void link_tree_ask(struct gatt *g, struct peer *p, struct gatt_request *request);
/* Message 71. */
void link_tree_part(struct gatt *g, struct peer *p, uint16_t source,
                    const struct message_services *services);

/* The tree is of the cache, and the device can say whether it is still true. */
bool link_tree_is_check_due(const struct peer *p);
/* The same of a tree that was just discovered: its hash is not known yet. */
bool link_tree_is_hash_missing(const struct peer *p);
/* Reads the hash; the request (NULL: nobody) waits for what comes of it. */
void link_tree_check(struct gatt *g, struct peer *p, struct gatt_request *request);

/* The number says that there is no such handle, and that may be because the tree is an old one. */
bool link_tree_is_doubted_by(const struct peer *p, const struct gatt_outcome *outcome);
/* Forgets the tree, here and in the cache; it takes another link to learn a new one. */
void link_tree_doubt(struct gatt *g, struct peer *p, enum gatt_doubt doubt);
/* An operation on the handle worked. */
void link_tree_worked(struct gatt *g, struct peer *p, uint16_t handle);
