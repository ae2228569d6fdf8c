/* What is noted of a request: made when it comes, written when its answer is there. Internal to
 * this folder. Thread: the loop's. */
#pragma once

#include "rest/rest.h"

/* Begins: the request is for more than to read, or may be refused. needs: the role of its route. */
void audit_note_begin(struct rest_request *request, enum rest_role needs);

/* Its answer is there: writes the row, if it is worth one. Does nothing without a beginning. */
void audit_note_finish(struct gateway *g, struct rest_request *request);
