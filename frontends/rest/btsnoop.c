#include "btsnoop.h"

#include <string.h>

#define DATALINK_MONITOR 2001
#define EPOCH            UINT64_C(0x00dcddb30f2f8000) /* 1970 in microseconds since the year 0 */

enum { OPCODE_NEW_INDEX = 0, OPCODE_EVENT = 3, OPCODE_SYSTEM_NOTE = 12 };

static void put_big(struct buffer *out, uint64_t value, unsigned size)
{
    while (size-- > 0)
        buffer_append_char(out, (char) (uint8_t) (value >> 8 * size));
}

static void put_little(struct buffer *out, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        buffer_append_char(out, (char) (uint8_t) (value >> 8 * i));
}

static void put_record(struct buffer *out, const struct gateway_recorded *r, unsigned opcode,
                       size_t size)
{
    put_big(out, size, 4); /* as it was, and as it is here */
    put_big(out, size, 4);
    put_big(out, (uint64_t) r->proxy_number << 16 | opcode, 4);
    put_big(out, 0, 4); /* lost before it */
    put_big(out, EPOCH + (uint64_t) r->time, 8);
}

void btsnoop_write_header(struct buffer *out)
{
    buffer_append(out, "btsnoop", 8);
    put_big(out, 1, 4);
    put_big(out, DATALINK_MONITOR, 4);
}

void btsnoop_write_proxy(struct buffer *out, const struct gateway_recorded *r)
{
    static const char text[] = "proxy ";
    size_t length = strlen(r->proxy);
    char name[8] = "";

    memcpy(name, r->proxy, length < sizeof name ? length : sizeof name);
    put_record(out, r, OPCODE_NEW_INDEX, 16);
    put_little(out, 0, 1); /* primary controller */
    put_little(out, 0, 1); /* on a virtual bus */
    put_little(out, r->proxy_mac, 6);
    buffer_append(out, name, sizeof name);
    put_record(out, r, OPCODE_SYSTEM_NOTE, sizeof text - 1 + length + 1);
    buffer_append(out, text, sizeof text - 1);
    buffer_append(out, r->proxy, length + 1);
}

void btsnoop_write_advertisement(struct buffer *out, const struct gateway_recorded *r)
{
    enum { META = 0x3e, EXTENDED_REPORT = 0x0d, REPORT_SIZE = 24, LEGACY = 0x13 };
    const size_t parameters = 2 + REPORT_SIZE + r->size;

    put_record(out, r, OPCODE_EVENT, 2 + parameters);
    put_little(out, META, 1);
    put_little(out, parameters, 1);
    put_little(out, EXTENDED_REPORT, 1);
    put_little(out, 1, 1);      /* report */
    put_little(out, LEGACY, 2); /* which of the legacy kinds, proxies do not tell */
    put_little(out, r->address_type, 1);
    put_little(out, r->address, 6);
    put_little(out, 1, 1);    /* primary PHY: LE 1M */
    put_little(out, 0, 1);    /* no secondary */
    put_little(out, 0xff, 1); /* no advertising set */
    put_little(out, 127, 1);  /* TX power is not told */
    put_little(out, r->rssi != 0 ? (uint8_t) (int8_t) r->rssi : 127, 1);
    put_little(out, 0, 2); /* not periodic */
    put_little(out, 0, 7); /* not directed */
    put_little(out, r->size, 1);
    buffer_append(out, r->data, r->size);
}
