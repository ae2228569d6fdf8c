/* The dashboard: files that are part of the program, found by their whole path and by nothing else.
 * Which page of it is shown stands behind the # and is the browser's business. Pure. */
#pragma once

#include <stdbool.h>

#include "rest/answer.h"

/* True, with the answer, when the target (path and query as sent) names a file of the dashboard.
 * if_none_match may be NULL. The body is static. */
bool page_answer(const char *target, const char *if_none_match, bool accepts_gzip,
                 struct answer *ret_answer);
