/* Why the configuration was not changed, as a problem. Pure. */
#pragma once

#include "config/config_edit.h"
#include "rest/answer.h"

/* cause as in struct gateway_change, or what its call returned; edited NULL: it did not come so
 * far. missing is the cause that E_NOT_FOUND stands for here (E_DEVICE_NOT_FOUND …). */
void change_problem_answer(int cause, int missing, const struct config_edited *edited,
                           struct answer *ret_answer);
