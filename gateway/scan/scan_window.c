/* Tokens and numbers as the faces print them. Whatever a peer can send is no id when it is not
 * exactly what we print. */
#include "scan_window.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *scan_window_state_name(enum scan_window_state state)
{
    switch (state) {
    case SCAN_WINDOW_OPENING:
        return "opening";
    case SCAN_WINDOW_RUNNING:
        return "running";
    case SCAN_WINDOW_DONE:
        return "done";
    case SCAN_WINDOW_REFUSED:
        return "refused";
    case SCAN_WINDOW_FAILED:
        return "failed";
    }
    abort();
}

const char *scan_cause_name(enum scan_cause cause)
{
    switch (cause) {
    case SCAN_CAUSE_NEED:
        return "need";
    case SCAN_CAUSE_REQUEST:
        return "request";
    case SCAN_CAUSE_DISCOVER:
        return "discover";
    case SCAN_CAUSE_SWEEP:
        return "sweep";
    case SCAN_CAUSE_RESCUE:
        return "rescue";
    case SCAN_CAUSE_FRONTEND:
        return "frontend";
    }
    abort();
}

const char *scan_window_action_name(enum scan_window_action action)
{
    switch (action) {
    case SCAN_ACTION_OPENED:
        return "opened";
    case SCAN_ACTION_EXTENDED:
        return "extended";
    case SCAN_ACTION_CLOSED:
        return "closed";
    case SCAN_ACTION_REFUSED:
        return "refused";
    }
    abort();
}

void scan_window_format_id(char ret_text[SCAN_WINDOW_ID_SIZE], uint64_t id)
{
    (void) snprintf(ret_text, SCAN_WINDOW_ID_SIZE, "w%" PRIu64, id);
}

bool scan_window_parse_id(const char *text, uint64_t *ret_id)
{
    char again[SCAN_WINDOW_ID_SIZE];
    uint64_t id;

    if (text[0] != 'w')
        return false;
    id = strtoull(text + 1, NULL, 10);
    scan_window_format_id(again, id);
    if (id == 0 || strcmp(again, text) != 0)
        return false;
    *ret_id = id;
    return true;
}
