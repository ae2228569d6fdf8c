/* Whether the headers of a request can be read in one way only. The library takes the first of
 * several lengths, a length beside chunks, and names with blanks; a proxy in front of us may take
 * the other, and then what is a body to the one is a request to the other. Internal to this folder.
 * Thread: the loop's. */
#pragma once

struct MHD_Connection;

/* 0, or the status of the refusal: 400, or 415 for a body that is compressed; with a sentence of
 * static storage, and the cause (E_*). */
int framing_judge(struct MHD_Connection *connection, const char **ret_why, int *ret_cause);
