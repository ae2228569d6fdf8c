/* Who holds or wants a link goes, alone or all together: what follows depends on its phase. For the
 * files of this room alone. */
#pragma once

#include "link/links_core.h"

/* Somebody who held or wanted the link does not any more. */
void holding_left(struct links *l, struct link *link);
/* Ends it for everybody; who waits is answered with code. */
void holding_close(struct links *l, struct link *link, int code);
