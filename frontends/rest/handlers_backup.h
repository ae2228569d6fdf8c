/* The routes that take the gateway as a whole: backup, restore, restart. */
#pragma once

#include "json/body.h"

struct call;

extern const struct body_rule handlers_backup_request[];

int handlers_back_up(struct call *call);
int handlers_restore(struct call *call);
int handlers_restart(struct call *call);
