/* The story. The reader keeps the numbers of devices and the places of their last payloads as the
 * recorder did when it wrote; a reference leads to octets that were read before in the same
 * segment.
 *
 * Failure modes: a size beyond the end, a device that was not introduced, a payload that was not
 * kept, a time that runs over, more devices than a segment may have: the segment ends there. */
#include "recording_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define WALL_MAX ((uint64_t) 1 << 60) /* microseconds; the year 38,000 */

enum { BIT_SAME_TIME = 0x10, BIT_PARSED = 0x20, BIT_REFERENCE = 0x40, BIT_SAME_SOURCE = 0x80 };

struct read_device {
    uint64_t address;
    uint8_t type, newest;
    struct bytes payloads[RECORDING_PAYLOADS]; /* data NULL: none */
};

struct recording_reader {
    struct recording_segment segment;
    struct bytes left;
    usec_t now;
    uint16_t last_source;
    uint32_t devices_count;
    struct read_device devices[RECORDING_DEVICES_MAX];
    struct bytes names[RECORDING_SOURCES_MAX];
};

/* ---- octets ---- */

static bool pull_little(struct bytes *b, size_t size, uint64_t *ret_value)
{
    struct bytes part;

    if (!bytes_pull(b, size, &part))
        return false;
    *ret_value = 0;
    for (size_t i = 0; i < size; i++)
        *ret_value |= (uint64_t) part.data[i] << 8 * i;
    return true;
}

static bool pull_limited(struct bytes *b, uint64_t limit, uint64_t *ret_value)
{
    return bytes_pull_varint(b, ret_value) && *ret_value < limit;
}

static bool pull_flag(struct bytes *b, bool *ret_flag)
{
    uint8_t octet;

    if (!bytes_pull_u8(b, &octet) || octet > 1)
        return false;
    *ret_flag = octet;
    return true;
}

static bool pull_int16(struct bytes *b, int16_t *ret_value)
{
    uint64_t value;

    if (!pull_little(b, 2, &value))
        return false;
    *ret_value = (int16_t) (uint16_t) value;
    return true;
}

static bool pull_text(struct bytes *b, struct bytes *ret_text)
{
    uint8_t size;

    return bytes_pull_u8(b, &size) && size <= RECORDING_TEXT_MAX && bytes_pull(b, size, ret_text);
}

static bool pull_source(struct bytes *b, uint16_t *ret_source)
{
    uint64_t source;

    if (!pull_limited(b, RECORDING_SOURCES_MAX, &source))
        return false;
    *ret_source = (uint16_t) source;
    return true;
}

/* 1 + source, or 0. */
static bool pull_optional_source(struct bytes *b, uint16_t *ret_source)
{
    uint64_t source;

    if (!pull_limited(b, RECORDING_SOURCES_MAX + 1, &source))
        return false;
    *ret_source = source == 0 ? RECORDING_NO_SOURCE : (uint16_t) (source - 1);
    return true;
}

static struct read_device *pull_device(struct recording_reader *r, struct bytes *b)
{
    uint64_t number;

    return pull_limited(b, r->devices_count, &number) ? &r->devices[number] : NULL;
}

/* ---- records ---- */

static bool read_payload(struct recording_reader *r, struct read_device *d, bool is_reference,
                         struct bytes *ret_payload)
{
    uint8_t octet;

    if (!bytes_pull_u8(&r->left, &octet))
        return false;
    if (is_reference) {
        if (octet >= RECORDING_PAYLOADS || !d->payloads[octet].data)
            return false;
        *ret_payload = d->payloads[octet];
        return true;
    }
    if (octet > BLE_REPORT_DATA_MAX || !bytes_pull(&r->left, octet, ret_payload))
        return false;
    d->newest = (uint8_t) ((d->newest + 1) % RECORDING_PAYLOADS);
    d->payloads[d->newest] = *ret_payload;
    return true;
}

static bool read_advertisement(struct recording_reader *r, uint8_t head,
                               struct recording_record *ret_record)
{
    struct read_device *d;
    struct bytes payload;
    uint8_t rssi;

    if (!(head & BIT_SAME_SOURCE) && !pull_source(&r->left, &r->last_source))
        return false;
    d = pull_device(r, &r->left);
    if (!d || r->last_source == RECORDING_NO_SOURCE || !bytes_pull_u8(&r->left, &rssi) ||
        !read_payload(r, d, head & BIT_REFERENCE, &payload))
        return false;
    ret_record->advertisement.source = r->last_source;
    ret_record->advertisement.report = (struct ble_report){
            .address = d->address,
            .data = payload.data,
            .size = (uint8_t) payload.size,
            .rssi = ble_report_rssi((int8_t) rssi),
            .address_type = d->type,
            .is_parsed = (head & BIT_PARSED) != 0,
    };
    return true;
}

static bool read_device(struct recording_reader *r, struct bytes *body,
                        struct recording_device *ret_device)
{
    uint64_t address, expected;
    bool has_need = false;
    uint8_t type;

    if (r->devices_count == RECORDING_DEVICES_MAX || !pull_little(body, 6, &address) ||
        !bytes_pull_u8(body, &type) || type > 3 || !pull_limited(body, UINT32_MAX, &expected) ||
        (body->size > 0 && !pull_flag(body, &has_need)))
        return false;
    r->devices[r->devices_count++] = (struct read_device){.address = address, .type = type};
    *ret_device = (struct recording_device){
            .address = address,
            .address_type = type,
            .is_pinned = expected > 0,
            .has_need = has_need,
            .expected_interval = expected > 0 ? (expected - 1) * USEC_PER_MSEC : 0,
    };
    return true;
}

static bool read_source(struct recording_reader *r, struct bytes *body,
                        struct recording_source *ret_source)
{
    struct recording_source s = {0};
    uint8_t flags;

    if (!pull_source(body, &s.source) || !bytes_pull_u8(body, &flags) ||
        !pull_little(body, 6, &s.mac) || !bytes_pull_u8(body, &s.scanner_mode) ||
        !pull_flag(body, &s.scanner_runs) || !pull_text(body, &s.name) ||
        !pull_text(body, &s.state))
        return false;
    s.is_online = flags & 1;
    s.is_connecting = flags & 2;
    s.can_connect = flags & 4;
    s.has_mac = flags & 8;
    r->names[s.source] = s.name;
    *ret_source = s;
    return true;
}

static bool read_change(struct recording_reader *r, struct bytes *body,
                        struct recording_change *ret_change)
{
    const struct read_device *d = pull_device(r, body);
    struct recording_change c = {0};
    uint64_t kinds;

    if (!d || !pull_limited(body, UINT32_MAX, &kinds) || !pull_optional_source(body, &c.source) ||
        !pull_flag(body, &c.is_available))
        return false;
    c.address = d->address;
    c.address_type = d->type;
    c.kinds = (unsigned) kinds;
    c.has_owner = body->size > 0;
    if (c.has_owner && (!pull_optional_source(body, &c.owner_from) ||
                        !pull_optional_source(body, &c.owner_to) || !bytes_pull_u8(body, &c.why) ||
                        !pull_int16(body, &c.rssi_from) || !pull_int16(body, &c.rssi_to)))
        return false;
    *ret_change = c;
    return true;
}

static bool read_window(struct bytes *body, struct recording_window *ret_window)
{
    uint64_t answered;

    if (!bytes_pull_varint(body, &ret_window->id) ||
        !pull_optional_source(body, &ret_window->source) ||
        !bytes_pull_u8(body, &ret_window->action) || !bytes_pull_u8(body, &ret_window->state) ||
        !bytes_pull_u8(body, &ret_window->cause) || !pull_limited(body, UINT32_MAX, &answered))
        return false;
    ret_window->answered = (uint32_t) answered;
    return true;
}

static bool read_command(struct recording_reader *r, struct bytes *body,
                         struct recording_command *ret_command)
{
    const struct read_device *d = pull_device(r, body);
    uint8_t what;

    if (!d || !bytes_pull_u8(body, &what) || what > RECORDING_COVERED)
        return false;
    *ret_command = (struct recording_command){.what = (enum recording_command_kind) what,
                                              .address = d->address,
                                              .source = RECORDING_NO_SOURCE};
    return what != RECORDING_COVERED || pull_source(body, &ret_command->source);
}

static bool read_restored(struct recording_reader *r, struct bytes *body,
                          struct recording_restored *ret_restored)
{
    const struct read_device *d = pull_device(r, body);

    if (!d || body->size > RECORDING_RESTORED_MAX)
        return false;
    *ret_restored = (struct recording_restored){d->address, d->type, *body};
    return true;
}

static bool read_attempt(struct recording_reader *r, struct bytes *body,
                         struct recording_attempt *ret_attempt)
{
    struct recording_attempt a;
    uint64_t reason;

    if (!pull_little(body, 6, &a.address) || !pull_source(body, &a.source) ||
        !pull_limited(body, r->now + 1, &a.duration) || !bytes_pull_u8(body, &a.result) ||
        !pull_text(body, &a.code) || !pull_flag(body, &a.has_reason) ||
        !pull_little(body, 4, &reason) || !pull_int16(body, &a.score))
        return false;
    a.reason = (int32_t) (uint32_t) reason;
    for (size_t i = 0; i < RECORDING_TERMS; i++) {
        if (!pull_int16(body, &a.terms[i]))
            return false;
    }
    *ret_attempt = a;
    return true;
}

/* 1: read; 0: a kind that is not known; -EBADMSG. */
static int read_body(struct recording_reader *r, unsigned kind, struct bytes body,
                     struct recording_record *ret_record)
{
    bool is_good = true;

    switch (kind) {
    case RECORDING_DEVICE:
        is_good = read_device(r, &body, &ret_record->device);
        break;
    case RECORDING_SOURCE:
        is_good = read_source(r, &body, &ret_record->source);
        break;
    case RECORDING_CHANGE:
        is_good = read_change(r, &body, &ret_record->change);
        break;
    case RECORDING_TICK:
        break;
    case RECORDING_SETTINGS:
        is_good = body.size <= RECORDING_SETTINGS_MAX;
        ret_record->settings = body;
        break;
    case RECORDING_WINDOW:
        is_good = read_window(&body, &ret_record->window);
        break;
    case RECORDING_COMMAND:
        is_good = read_command(r, &body, &ret_record->command);
        break;
    case RECORDING_RESTORED:
        is_good = read_restored(r, &body, &ret_record->restored);
        break;
    case RECORDING_SOURCE_GONE:
        is_good = pull_source(&body, &ret_record->gone);
        break;
    case RECORDING_ATTEMPT:
        is_good = read_attempt(r, &body, &ret_record->attempt);
        break;
    default:
        return 0;
    }
    return is_good ? 1 : -EBADMSG;
}

static bool read_time(struct recording_reader *r, uint8_t head)
{
    uint64_t passed;

    if (head & BIT_SAME_TIME)
        return true;
    if (!pull_limited(&r->left, USEC_NEVER / 4, &passed))
        return false;
    r->now += passed;
    return r->now < USEC_NEVER / 4;
}

static int read_record(struct recording_reader *r, struct recording_record *ret_record)
{
    uint8_t head;
    struct bytes body;
    uint64_t size;

    if (!bytes_pull_u8(&r->left, &head) || !read_time(r, head))
        return -EBADMSG;
    ret_record->time = r->now;
    ret_record->kind = (enum recording_kind)(head & 0xf);
    if (ret_record->kind == RECORDING_ADVERTISEMENT)
        return read_advertisement(r, head, ret_record) ? 1 : -EBADMSG;
    if ((head & 0xf) == 0 || !bytes_pull_varint(&r->left, &size) || size > r->left.size ||
        !bytes_pull(&r->left, (size_t) size, &body))
        return -EBADMSG;
    return read_body(r, head & 0xf, body, ret_record);
}

/* ---- the door ---- */

int recording_pull_segment(struct bytes *file, struct recording_segment *ret_segment,
                           bool *ret_is_cut)
{
    uint64_t version, header_size, size, wall;
    struct recording_segment s = {0};
    struct bytes at = *file, magic;

    if (file->size == 0)
        return 0;
    if (!bytes_pull(&at, 8, &magic) || memcmp(magic.data, RECORDING_MAGIC, 8) != 0 ||
        !pull_little(&at, 2, &version))
        return -EBADMSG;
    if (version != RECORDING_VERSION)
        return -EPROTONOSUPPORT;
    if (!pull_little(&at, 2, &header_size) || header_size < RECORDING_HEADER_SIZE ||
        !pull_little(&at, 4, &size) || size > RECORDING_SEGMENT_SIZE ||
        !pull_little(&at, 8, &s.sequence) || !pull_little(&at, 8, &s.start) ||
        !pull_little(&at, 8, &wall) || s.start >= USEC_NEVER / 4 || wall >= WALL_MAX ||
        !bytes_pull(&at, (size_t) header_size - RECORDING_HEADER_SIZE, &magic))
        return -EBADMSG;
    s.wall = (int64_t) wall;
    s.data = at.data;
    *ret_is_cut = at.size < size;
    s.size = *ret_is_cut ? at.size : (size_t) size;
    at.data += s.size;
    at.size -= s.size;
    *file = at;
    *ret_segment = s;
    return 1;
}

struct recording_reader *recording_reader_new(void)
{
    return xnew(struct recording_reader, 1);
}

void recording_reader_free(struct recording_reader *r)
{
    free(r);
}

void recording_reader_begin(struct recording_reader *r, const struct recording_segment *segment)
{
    r->segment = *segment;
    r->left = (struct bytes){segment->data, segment->size};
    r->now = segment->start;
    r->last_source = RECORDING_NO_SOURCE;
    r->devices_count = 0;
    memset(r->names, 0, sizeof r->names);
}

int recording_reader_next(struct recording_reader *r, struct recording_record *ret_record)
{
    int rc = 0;

    while (r->left.size > 0 && rc == 0)
        rc = read_record(r, ret_record);
    if (rc < 0)
        r->left.size = 0;
    return rc;
}

struct bytes recording_reader_source_name(const struct recording_reader *r, uint16_t source)
{
    return source < RECORDING_SOURCES_MAX ? r->names[source] : (struct bytes){0};
}

int64_t recording_reader_wall(const struct recording_reader *r, usec_t moment)
{
    return clock_to_wall(moment, r->segment.start, r->segment.wall);
}
