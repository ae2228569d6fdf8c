/* The routes of the configuration as a whole, and of its versions. Those that touch the file wait
 * until it was touched. */
#pragma once

#include "rest/handlers.h"

int handlers_config(struct call *call);
int handlers_config_schema(struct call *call);
int handlers_put_config(struct call *call);
int handlers_patch_config(struct call *call);
int handlers_config_versions(struct call *call);
int handlers_config_version(struct call *call);
int handlers_restore_config(struct call *call);
