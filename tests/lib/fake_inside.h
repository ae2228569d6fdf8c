/* What the parts of the fake gateway share. */
#pragma once

#include "gateway/gateway.h"

struct fake_links;
struct fake_links *fake_links_new(void);
void fake_links_free(struct fake_links *l); /* fails when a request is left */

struct fake_links *fake_inside_links(const struct gateway *g);
void fake_inside_tell_link(struct gateway *g, const struct gateway_link_change *change);
