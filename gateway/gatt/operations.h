/* The line of one device: what is to be sent, what is on the air, and what is still owed.
 *
 * One operation is outstanding at a time, in order of arrival; writes without response may be
 * several, up to GATT_COMMANDS_MAX. Whose requests are gone is not sent any more; what is on the
 * air is waited for, until its answer or its deadline. For the files of this room alone. */
#pragma once

#include "gatt/gatt_core.h"

/* A new one at the end of the line; the message's octets are copied. source: see struct operation.
 * It goes out with the next operations_pump(). */
struct operation *operations_add(struct gatt *g, struct peer *p, const struct message *message,
                                 uint16_t source);
/* One of this type and handle that waits to be sent (or, with is_sent, is on the air); NULL. */
struct operation *operations_find(const struct peer *p, enum message_type type, uint32_t handle,
                                  bool is_sent);
/* A read that waits to be sent and that nothing but reads stands behind, and whose outcome is not
 * for the room alone; NULL. */
struct operation *operations_find_read(const struct peer *p, enum message_type type,
                                       uint32_t handle);
/* The request waits for it from now on, until its own deadline. */
void operations_join(struct operation *operation, struct gatt_request *request);
/* The request waits for it no more. */
void operations_leave(struct peer *p, struct gatt_request *request);

/* An answer of the proxy; false: nobody waits for it, it is dropped. */
bool operations_answer(struct gatt *g, struct peer *p, uint16_t source,
                       const struct message *message);
/* Sends what may be sent. */
void operations_pump(struct gatt *g, struct peer *p);
/* Ends what was waited for too long. */
void operations_expire(struct gatt *g, struct peer *p);
usec_t operations_deadline(const struct peer *p);

/* The link is gone, or (code) whatever else: all that need it end with this outcome. */
void operations_end(struct gatt *g, struct peer *p, const struct gatt_outcome *outcome);
/* The same for those that are this proxy's without a link. */
void operations_end_of_source(struct gatt *g, struct peer *p, uint16_t source,
                              const struct gatt_outcome *outcome);
/* Without telling anybody: for gatt_free() alone. */
void operations_drop(struct peer *p);
