/* Any query of an event stream with any Last-Event-ID (in front, up to a line feed) is refused with
 * faults or gives a wish within its bounds, whose filter can be asked; and an id that is read is
 * the one that would be written. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fuzz_target.h"
#include "rest/event_wish.h"

static void check_wish(const struct event_wish *wish, const char *last)
{
    const struct event_subject nothing = {.rssi = -60}, device = {.has_device = true, .rssi = -60};
    char id[EVENT_ID_SIZE];

    if (wish->types == 0 || wish->types >> EVENT_TYPES != 0 ||
        wish->addresses_count > EVENT_WISH_ADDRESSES_MAX || wish->rssi.span == 0)
        abort();
    (void) event_subject_matches(&device, &wish->filter);
    if (!event_subject_matches(&nothing, &wish->filter))
        abort(); /* what names neither device nor proxy is for everybody */
    if (!wish->has_last)
        return;
    event_id_format(id, wish->last_boot, wish->last_number);
    if (strncmp(id, last, strlen("00000000-")) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *last AUTO_FREE = xnew(char, size + 1);
    struct faults faults = {0};
    struct event_wish wish;
    struct query query;
    char *text;

    if (size > 0)
        memcpy(last, data, size);
    text = strchr(last, '\n');
    if (text)
        *text++ = '\0';
    query_read(&query, text, event_wish_rules, &faults);
    if (!faults_any(&faults)) {
        event_wish_read(&wish, &query, last, &faults);
        if (!faults_any(&faults))
            check_wish(&wish, last);
        event_wish_done(&wish);
    }
    faults_done(&faults);
    query_done(&query);
    return 0;
}
