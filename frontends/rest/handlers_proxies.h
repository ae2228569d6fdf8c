/* The routes that change the fleet: proxies are added, changed, removed and imported. Their
 * requests wait until the change is on the disk and runs. */
#pragma once

#include "rest/handlers.h"
#include "json/body.h"

/* The bodies: an entry of the configuration, and a merge patch of one. */
extern const struct body_rule handlers_proxy_settings[];
extern const struct body_rule handlers_proxy_patch[];

int handlers_add_proxy(struct call *call);
int handlers_patch_proxy(struct call *call);
int handlers_delete_proxy(struct call *call);
int handlers_import_proxies(struct call *call);
