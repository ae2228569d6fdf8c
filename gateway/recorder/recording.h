/* What a recording is made of: the values that go into it and come out, and its format.
 *
 * A recording is a row of segments. Each can be read alone: its header says when it begins, its
 * first records say under which settings, and every device and every source is introduced in it
 * before it is named. So dropping the oldest segment needs no rewriting of the others.
 *
 * A segment in a file (numbers are little endian; "varint" is base 128, least significant first):
 *
 *   octets  header
 *   8       "BLEFLTRC"
 *   2       version, 1; a reader refuses any other
 *   2       size of this header, 40; more may follow in later minor changes
 *   4       size of the records behind it
 *   8       sequence number of the segment in its run
 *   8       start: monotonic microseconds, to which the first record's time is added
 *   8       the wall clock at start, microseconds since 1970
 *
 * A record begins with one octet: bits 0 to 3 are the kind, bit 4 says that no time has passed
 * since the record before it; otherwise a varint follows with the microseconds that have. Then:
 *
 *   kind               what follows
 *   1  advertisement   bit 7 clear: varint source (set: that of the advertisement before);
 *                      varint device; int8 RSSI (0: not told);
 *                      bit 6 clear: octet size, so many octets of payload, which becomes the next
 *                      of the four that are kept for the device, in turn;
 *                      bit 6 set: octet, which of these four it is;
 *                      bit 5 is set when the packet came parsed
 *   any other          varint size of the rest, so that readers pass over kinds they do not know
 *   2  device          6 octets address, octet type, varint: 0, or 1 + the expected interval in
 *                      milliseconds of a configured device, octet 1 when it needs active scanning
 *                      (missing: 0). Devices count from 0 in each segment; one that is introduced
 *                      again has the later number from then on
 *   3  source          varint source, octet flags (1 online, 2 connecting, 4 can connect, 8 has a
 *                      MAC), 6 octets MAC, octet scanner mode (0 unknown, 1 passive, 2 active),
 *                      octet 1 when the scanner runs, then name and state: octet size and text each
 *   4  change          varint device, varint kinds, varint 1 + source (0: time), octet available;
 *                      with an owner: varint 1 + from, varint 1 + to, octet why, int16 RSSI of both
 *                      in hundredths of a dB (-32768: unknown)
 *   5  tick            nothing: the table was told the time
 *   6  settings        JSON text
 *   7  window          varint id, varint 1 + source, octet action, octet state, octet cause, varint
 *                      devices that answered
 *   8  command         varint device, octet what (0 forget it, 1 forget what it said, 2 a source
 *                      listened for it actively), then for 2 varint source
 *   9  restored        varint device, then what was remembered of it over a restart, as
 *                      replay/restored_device.c writes it
 *   10 attempt         to connect, over now: 6 octets address, varint source, varint microseconds
 *                      that it took, octet how it ended (0 connected, 1 timed out, 2 refused,
 *                      3 failed, 4 proxy lost, 5 cancelled), why as octet size and text (a token
 *                      of base/error.h; none: connected), octet 1 when the proxy gave a number,
 *                      int32 number, then int16 in tenths of a dB (-32768: unknown): the score
 *                      that the proxy was chosen by, and its six terms
 *
 *   11 source gone     varint source: what it heard is forgotten; the number may be another one's
 *                      from then on
 *
 * Values only. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ble/report.h"

#define RECORDING_MAGIC        "BLEFLTRC"
#define RECORDING_VERSION      1
#define RECORDING_HEADER_SIZE  40
#define RECORDING_SEGMENT_SIZE ((size_t) 256 * 1024) /* octets of records, at most */
#define RECORDING_DEVICES_MAX  4096                  /* in one segment */
#define RECORDING_SOURCES_MAX  4096                  /* source numbers are below it */
#define RECORDING_PAYLOADS     4                     /* kept for each device */
#define RECORDING_SETTINGS_MAX ((size_t) 16 * 1024)
#define RECORDING_RESTORED_MAX ((size_t) 4 * 1024)
#define RECORDING_TEXT_MAX     64 /* octets of a name or a state */
#define RECORDING_TERMS        6  /* of a score, in the order of struct route_terms */
#define RECORDING_NO_SOURCE    UINT16_MAX

/* The records of one segment. */
struct recording_segment {
    uint64_t sequence;
    usec_t start;
    int64_t wall;        /* at start */
    const uint8_t *data; /* borrowed */
    size_t size;
};

enum recording_kind {
    RECORDING_ADVERTISEMENT = 1,
    RECORDING_DEVICE,
    RECORDING_SOURCE,
    RECORDING_CHANGE,
    RECORDING_TICK,
    RECORDING_SETTINGS,
    RECORDING_WINDOW,
    RECORDING_COMMAND,
    RECORDING_RESTORED,
    RECORDING_ATTEMPT,
    RECORDING_SOURCE_GONE,
};

struct recording_device {
    uint64_t address;
    uint8_t address_type;
    bool is_pinned; /* configured */
    bool has_need;  /* of active scanning */
    usec_t expected_interval;
};

/* How a source is from now on. */
struct recording_source {
    uint16_t source;
    bool is_online, is_connecting, can_connect;
    bool has_mac;
    uint64_t mac;
    uint8_t scanner_mode; /* 0 unknown, 1 passive, 2 active */
    bool scanner_runs;
    struct bytes name;  /* text without NUL, at most RECORDING_TEXT_MAX */
    struct bytes state; /* the same */
};

/* What the table told of a device. */
struct recording_change {
    uint64_t address;
    uint8_t address_type;
    unsigned kinds;  /* bits as in device_table.h */
    uint16_t source; /* whose packet caused it; RECORDING_NO_SOURCE: time did */
    bool is_available;
    bool has_owner; /* the owner changed; the rest says how */
    uint16_t owner_from, owner_to;
    uint8_t why;
    int16_t rssi_from, rssi_to; /* hundredths of a dB; INT16_MIN: unknown */
};

/* A window of active scanning, at something that happened to it. Numbers as in scan_window.h. */
struct recording_window {
    uint64_t id;
    uint16_t source;
    uint8_t action, state, cause;
    uint32_t answered;
};

/* What the table was told about one device. */
enum recording_command_kind {
    RECORDING_FORGET,
    RECORDING_CLEAR_HISTORY,
    RECORDING_COVERED, /* the source has listened for it actively until now */
};

struct recording_command {
    enum recording_command_kind what;
    uint64_t address;
    uint16_t source; /* of RECORDING_COVERED */
};

/* What was remembered of a device; the octets are the replay's. */
struct recording_restored {
    uint64_t address;
    uint8_t address_type;
    struct bytes facts;
};

/* An attempt to connect, at its end. The device need not have been heard: it has no number. */
struct recording_attempt {
    uint64_t address;
    uint16_t source;
    usec_t duration;   /* it started that long before the record's time */
    uint8_t result;    /* as enum attempt_end of link/retry.h; one that is not known may come */
    struct bytes code; /* token of base/error.h, at most RECORDING_TEXT_MAX; empty: connected */
    bool has_reason;
    int32_t reason; /* 0 when the proxy gave none */
    int16_t score;  /* tenths of a dB; INT16_MIN: unknown */
    int16_t terms[RECORDING_TERMS];
};

struct recording_record {
    enum recording_kind kind;
    usec_t time;
    union {
        struct {
            uint16_t source;
            struct ble_report report;
        } advertisement;
        struct recording_device device;
        struct recording_source source;
        struct recording_change change;
        struct bytes settings;
        struct recording_window window;
        struct recording_command command;
        struct recording_restored restored;
        struct recording_attempt attempt;
        uint16_t gone; /* the source */
    };
};

/* Writes the header of a segment for a file. */
void recording_write_header(uint8_t ret_header[RECORDING_HEADER_SIZE],
                            const struct recording_segment *segment);

/* A double in dB as a record keeps it; NAN is unknown. */
int16_t recording_rssi(double rssi);
/* The same in tenths, for what may be far below any loudness; cut to what fits. */
int16_t recording_tenths(double db);
