/* The first octet is the number of the message. What can be read can be written, and reads the same
 * again: it is then written octet by octet as before. A parsed advertisement (67) becomes a report,
 * or is refused, within the bounds of a report. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "esphome/codec.h"
#include "esphome/parsed_advertisement.h"
#include "fuzz_target.h"

static struct bytes content(const struct buffer *b)
{
    return (struct bytes){b->data ? buffer_front(b) : NULL, buffer_size(b)};
}

static void check_around(const struct message *first, struct arena *arena)
{
    struct buffer once = {0}, twice = {0};
    struct message again;
    struct bytes a, b;

    if (codec_encode(first, &once) == 0) {
        a = content(&once);
        if (codec_decode((uint32_t) first->type, a, arena, &again) != 0 ||
            codec_encode(&again, &twice) != 0)
            abort();
        b = content(&twice);
        if (a.size != b.size || (a.size > 0 && memcmp(a.data, b.data, a.size) != 0))
            abort();
    }
    buffer_done(&once);
    buffer_done(&twice);
}

static void check_report(const struct message *message)
{
    uint8_t data[BLE_REPORT_DATA_MAX];
    struct ble_report report;

    if (parsed_advertisement_to_report(&message->parsed_advertisement, data, &report) != 0)
        return;
    if (report.size > BLE_REPORT_DATA_MAX || report.address == 0 || report.address >> 48 != 0 ||
        !report.is_parsed)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message message;
    struct arena arena;
    int cause;

    if (size < 1)
        return 0;
    arena_init(&arena, 2 * CODEC_ARENA_MAX); /* two messages without a reset */
    cause = codec_decode(data[0], (struct bytes){data + 1, size - 1}, &arena, &message);
    if (cause != 0 && cause != -ENOTSUP && cause != E_PROTOCOL)
        abort();
    if (cause == 0 && (uint32_t) message.type != data[0])
        abort();
    if (cause == 0)
        check_around(&message, &arena);
    if (cause == 0 && message.type == MESSAGE_PARSED_ADVERTISEMENT_RESPONSE)
        check_report(&message);
    arena_done(&arena);
    return 0;
}
