/* The part gatt: what programs do with the database of a device. */
#pragma once

#include "rest/handlers.h"

extern const struct query_rule handlers_services_query[];
extern const struct query_rule handlers_read_query[];
extern const struct query_rule handlers_write_query[];
extern const struct query_rule handlers_descriptor_query[];
extern const struct query_rule handlers_unsubscribe_query[];
extern const struct query_rule handlers_notifications_query[];
extern const struct query_rule handlers_unpair_query[];
extern const struct body_rule handlers_parameters_request[];
extern const struct body_rule handlers_write_request[];
extern const struct body_rule handlers_subscribe_request[];
extern const struct body_rule handlers_pair_request[];

int handlers_set_parameters(struct call *call);
int handlers_services(struct call *call);
int handlers_read(struct call *call);
int handlers_write(struct call *call);
int handlers_read_descriptor(struct call *call);
int handlers_write_descriptor(struct call *call);
int handlers_subscribe(struct call *call);
int handlers_unsubscribe(struct call *call);
int handlers_notifications(struct call *call); /* the answer is a stream */
int handlers_pair(struct call *call);
int handlers_unpair(struct call *call);
int handlers_clear_cache(struct call *call);
