/* The routes that change the configuration: settings of devices (a need is one), scan modes of
 * proxies. Their
 * requests wait until the change is on the disk. */
#pragma once

#include "rest/handlers.h"
#include "json/body.h"

/* The bodies. */
extern const struct body_rule handlers_device_patch[];
extern const struct body_rule handlers_scanner_mode[];
extern const struct body_rule handlers_need_request[];

int handlers_patch_device(struct call *call);
int handlers_delete_device(struct call *call);
int handlers_set_scanner(struct call *call);
int handlers_put_need(struct call *call);
int handlers_delete_need(struct call *call);
