/* What the parts of the fake gateway share. */
#pragma once

#include "gateway/gateway.h"

struct fake_links;
struct fake_links *fake_links_new(void);
void fake_links_free(struct fake_links *l); /* fails when a request is left */

struct fake_links *fake_inside_links(const struct gateway *g);
void fake_inside_tell_link(struct gateway *g, const struct gateway_link_change *change);

struct accounts *fake_inside_accounts(const struct gateway *g);
/* GATEWAY_DONE, or 0 when the store is waited for (fake_gateway_wait_for_store()). */
int fake_inside_wait_for_store(struct gateway *g, struct gateway_token_change *change);

struct fake_gatts;
struct fake_gatts *fake_gatts_new(struct gateway *g);
void fake_gatts_free(struct fake_gatts *s); /* fails when a request or a reader is left */

struct fake_gatts *fake_inside_gatts(const struct gateway *g);
void fake_inside_tell_value(struct gateway *g, const struct gateway_gatt_value *value);
void fake_inside_tell_lease_ended(struct gateway *g, uint64_t address, const char *lease);
