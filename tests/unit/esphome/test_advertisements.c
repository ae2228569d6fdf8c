#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "esphome/advertisements.h"
#include "esphome_api.pb-c.h"
#include "vectors.h"

#define REPORTS_MAX 64

struct list {
    struct ble_report reports[REPORTS_MAX];
    size_t count;
    uint64_t skipped;
    int cause;
};

/* Everything of a body, in batches of that size. */
static void read_all(struct bytes body, size_t batch, struct list *ret_list)
{
    struct advertisements a;
    int count;

    ret_list->count = 0;
    advertisements_open(&a, body);
    while ((count = advertisements_next(&a, ret_list->reports + ret_list->count, batch)) > 0) {
        ret_list->count += (size_t) count;
        assert_true(ret_list->count + batch <= REPORTS_MAX);
    }
    ret_list->cause = count;
    ret_list->skipped = a.skipped;
}

static void read_hex(const char *hex, struct list *ret_list)
{
    static struct octets octets; /* reports point into it */

    octets = octets_of(hex);
    read_all((struct bytes){octets.data, octets.size}, 4, ret_list);
}

static void the_two_reports_of_the_vectors_are_read(void **state)
{
    const struct octets first = octets_of("0201060303aafe");
    struct list list;

    (void) state;
    read_hex("0a1408d6d6cac093982910850122070201060303aafe"
             "0a1208838484f0fe9f3010b30118012203020106",
             &list);
    assert_int_equal(list.cause, 0);
    assert_int_equal(list.count, 2);
    assert_true(list.reports[0].address == UINT64_C(0xa4c13812ab56));
    assert_int_equal(list.reports[0].rssi, -67);
    assert_int_equal(list.reports[0].address_type, 0);
    assert_int_equal(list.reports[0].size, first.size);
    assert_memory_equal(list.reports[0].data, first.data, first.size);
    assert_int_equal(list.reports[1].rssi, -90);
    assert_int_equal(list.reports[1].address_type, 1);
    assert_int_equal(list.reports[1].size, 3);
    assert_int_equal(list.reports[1].is_parsed, 0);
}

static void A01_a_message_with_16_advertisements_yields_16_reports(void **state)
{
    struct ble_report reports[16];
    uint8_t data[BLE_REPORT_DATA_MAX];
    struct buffer body = {0};
    struct list list;

    (void) state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t) i;
    for (size_t i = 0; i < 16; i++)
        reports[i] = (struct ble_report){.address = UINT64_C(0xc0ffee000000) + i,
                                         .data = data,
                                         .size = (uint8_t) (i * 4),
                                         .rssi = (int8_t) (-30 - (int) i),
                                         .address_type = (uint8_t) (i % 4)};
    advertisements_encode(reports, 16, &body);
    read_all((struct bytes){buffer_front(&body), buffer_size(&body)}, 5, &list);
    assert_int_equal(list.cause, 0);
    assert_int_equal(list.count, 16);
    for (size_t i = 0; i < 16; i++) {
        assert_true(list.reports[i].address == reports[i].address);
        assert_int_equal(list.reports[i].rssi, reports[i].rssi);
        assert_int_equal(list.reports[i].address_type, reports[i].address_type);
        assert_int_equal(list.reports[i].size, reports[i].size);
        assert_memory_equal(list.reports[i].data, data, reports[i].size);
    }
    buffer_done(&body);
}

static void rssi_address_and_data_are_written_also_when_they_are_0(void **state)
{
    const struct octets expected = octets_of("0a06080010002200");
    const struct ble_report report = {0};
    struct buffer body = {0};

    (void) state;
    advertisements_encode(&report, 1, &body);
    assert_int_equal(buffer_size(&body), expected.size);
    assert_memory_equal(buffer_front(&body), expected.data, expected.size);
    buffer_done(&body);
}

static void every_rssi_survives_the_way(void **state)
{
    (void) state;
    for (int rssi = BLE_RSSI_MIN; rssi <= BLE_RSSI_MAX; rssi++) {
        const struct ble_report report = {.address = 1, .rssi = (int8_t) rssi};
        struct buffer body = {0};
        struct list list;

        advertisements_encode(&report, 1, &body);
        read_all((struct bytes){buffer_front(&body), buffer_size(&body)}, 1, &list);
        assert_int_equal(list.count, 1);
        assert_int_equal(list.reports[0].rssi, rssi);
        buffer_done(&body);
    }
}

static void an_empty_message_has_no_reports(void **state)
{
    struct list list;

    (void) state;
    read_hex("", &list);
    assert_int_equal(list.cause, 0);
    assert_int_equal(list.count, 0);
}

static void entries_nobody_can_use_are_skipped_and_counted(void **state)
{
    struct list list;

    (void) state;
    /* no address; 63 octets of data; an address of more than 48 bits; a good one */
    read_hex(
            "0a0210010a430801223f000000000000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000000000000000000000000"
            "0a0808808080808080400a020807",
            &list);
    assert_int_equal(list.cause, 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.skipped, 3);
    assert_true(list.reports[0].address == 7);
}

static void unknown_fields_of_all_wire_types_are_passed_over(void **state)
{
    struct list list;

    (void) state;
    /* outside the entry, and in it: fields 5 (varint), 6 (64 bits), 7 (octets), 8 (32 bits), 16 */
    read_hex("2805310102030405060708"
             "0a1d08072805310102030405060708"
             "3a0201024501020304820101ff220155",
             &list);
    assert_int_equal(list.cause, 0);
    assert_int_equal(list.count, 1);
    assert_true(list.reports[0].address == 7);
    assert_int_equal(list.reports[0].size, 1);
    assert_int_equal(list.reports[0].data[0], 0x55);
}

static void an_rssi_that_no_radio_reports_counts_as_not_told(void **state)
{
    struct list list;

    (void) state;
    /* rssi 1000 and type 300, which is cut; rssi -1000 */
    read_hex("0a080807"
             "10d00f"
             "18ac02"
             "0a050807"
             "10cf0f",
             &list);
    assert_int_equal(list.cause, 0);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.reports[0].rssi, 0);
    assert_int_equal(list.reports[0].address_type, 255);
    assert_int_equal(list.reports[1].rssi, 0);
}

static void malformed_bodies_are_refused(void **state)
{
    static const char *const bodies[] = {
            "0a",                           /* no length */
            "0a05",                         /* an entry that does not end */
            "0a010a",                       /* a field that does not end, inside */
            "0a0208",                       /* the same, behind */
            "0a0b08ffffffffffffffffffff01", /* eleven octets */
            "0a020a00",                     /* the address as octets */
            "0a022001",                     /* the data as a number */
            "0801",                         /* the entry as a number */
            "0a020001",                     /* field 0 */
            "0a023b3c",                     /* a group */
            "3b3c",                         /* a group outside */
            "0affffffffff01",               /* a length of six octets */
            "0a0780808080808000",           /* a tag of more than five octets */
            "31010203",                     /* 64 bits that are not there */
            "0a0422ffffff",                 /* octets that are not there */
    };

    (void) state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct list list;

        read_hex(bodies[i], &list);
        if (list.cause != E_PROTOCOL)
            fail_msg("%s was read", bodies[i]);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static size_t append_varint(uint8_t *out, uint64_t value)
{
    size_t size = 0;

    for (; value >= 0x80; value >>= 7)
        out[size++] = (uint8_t) (value | 0x80);
    out[size++] = (uint8_t) value;
    return size;
}

static size_t append_entry(uint8_t *out, const uint8_t *body, size_t size)
{
    size_t head = 1 + append_varint(out + 1, size);

    out[0] = 0x0a;
    memcpy(out + head, body, size);
    return head + size;
}

/* One entry with its fields in any order, some missing, some repeated, some unknown. */
static size_t make_entry(uint8_t *out, uint32_t *seed)
{
    uint8_t body[512];
    size_t size = 0, data_size;

    for (uint32_t fields = next_random(seed) % 7; fields > 0; fields--) {
        const uint64_t number = (uint64_t) next_random(seed) << 32 | next_random(seed);

        switch (next_random(seed) % 6) {
        case 0:
            body[size++] = 0x08;
            size += append_varint(body + size, number >> (next_random(seed) % 64));
            break;
        case 1:
            body[size++] = 0x10;
            size += append_varint(body + size, number >> (next_random(seed) % 64));
            break;
        case 2:
            body[size++] = 0x18;
            size += append_varint(body + size, number >> (next_random(seed) % 64));
            break;
        case 3:
            data_size = next_random(seed) % 66;
            body[size++] = 0x22;
            size += append_varint(body + size, data_size);
            memset(body + size, (int) (number & 0xff), data_size);
            size += data_size;
            break;
        case 4:
            size += append_varint(body + size, 8 * (5 + number % 1000));
            size += append_varint(body + size, number >> 20);
            break;
        default:
            body[size++] = 0x5d;
            memset(body + size, 0xee, 4);
            size += 4;
        }
    }
    return append_entry(out, body, size);
}

/* One with the fields that firmware writes, in that order, of any values. */
static size_t make_usual_entry(uint8_t *out, uint32_t *seed)
{
    uint8_t body[512];
    const size_t data_size = next_random(seed) % 140;
    const uint64_t address = (uint64_t) next_random(seed) << 32 | next_random(seed);
    size_t size = 0;

    body[size++] = 0x08;
    size += append_varint(body + size, address >> (next_random(seed) % 64));
    body[size++] = 0x10;
    size += append_varint(body + size, next_random(seed) >> (next_random(seed) % 32));
    if (next_random(seed) % 2) {
        body[size++] = 0x18;
        size += append_varint(body + size, next_random(seed) % 300);
    }
    body[size++] = 0x22;
    size += append_varint(body + size, data_size);
    memset(body + size, (int) (address & 0xff), data_size);
    return append_entry(out, body, size + data_size);
}

/* What we read is what protobuf-c reads, less the entries that we skip. */
static void assert_same(const struct list *list, const Wire__RawAdvertisements *theirs)
{
    size_t count = 0, skipped = 0;

    for (size_t i = 0; i < theirs->n_advertisements; i++) {
        const Wire__RawAdvertisement *b = theirs->advertisements[i];
        const struct ble_report *a = &list->reports[count];

        if (b->address == 0 || b->address >> 48 != 0 || b->data.len > BLE_REPORT_DATA_MAX) {
            skipped++;
            continue;
        }
        assert_true(++count <= list->count);
        assert_true(a->address == b->address);
        assert_int_equal(a->rssi, b->rssi < -127 || b->rssi > 20 ? 0 : b->rssi);
        assert_int_equal(a->address_type, b->address_type > 255 ? 255 : b->address_type);
        assert_int_equal(a->size, b->data.len);
        if (a->size > 0)
            assert_memory_equal(a->data, b->data.data, b->data.len);
    }
    assert_int_equal(list->count, count);
    assert_int_equal(list->skipped, skipped);
}

static void random_bodies_are_read_as_protobuf_c_reads_them(void **state)
{
    uint32_t seed = 0x5eed;
    size_t good = 0, bad = 0;

    (void) state;
    for (size_t round = 0; round < 20000; round++) {
        uint8_t body[6 * 600];
        size_t size = 0;
        uint8_t *exact;
        struct list list;
        Wire__RawAdvertisements *theirs;

        for (uint32_t entries = next_random(&seed) % 6; entries > 0; entries--)
            size += next_random(&seed) % 2 ? make_entry(body + size, &seed)
                                           : make_usual_entry(body + size, &seed);
        if (round % 2 && size > 0) /* damage half of them */
            body[next_random(&seed) % size] ^= (uint8_t) (1u << next_random(&seed) % 8);
        exact = malloc(size + 1); /* so that a sanitizer sees its end */
        memcpy(exact + 1, body, size);
        read_all((struct bytes){exact + 1, size}, 3, &list);
        theirs = wire__raw_advertisements__unpack(NULL, size, body);
        if (list.cause == 0) {
            assert_non_null(theirs);
            assert_same(&list, theirs);
            good++;
        } else {
            assert_int_equal(list.cause, E_PROTOCOL);
            assert_true(round % 2);
            bad++;
        }
        if (theirs)
            wire__raw_advertisements__free_unpacked(theirs, NULL);
        free(exact);
    }
    assert_true(good > 10000 && bad > 1000);
}

static void what_we_write_protobuf_c_reads(void **state)
{
    uint32_t seed = 0xfeed;

    (void) state;
    for (size_t round = 0; round < 1000; round++) {
        uint8_t data[BLE_REPORT_DATA_MAX];
        struct list list = {.count = next_random(&seed) % 17};
        struct buffer body = {0};
        Wire__RawAdvertisements *theirs;

        memset(data, (int) (round & 0xff), sizeof data);
        for (size_t i = 0; i < list.count; i++)
            list.reports[i] = (struct ble_report){
                    .address = ((uint64_t) next_random(&seed) << 16 >> next_random(&seed) % 40) + 1,
                    .data = data,
                    .size = (uint8_t) (next_random(&seed) % 63),
                    .rssi = (int8_t) (BLE_RSSI_MIN + (int) (next_random(&seed) % 148)),
                    .address_type = (uint8_t) next_random(&seed),
            };
        advertisements_encode(list.reports, list.count, &body);
        theirs = wire__raw_advertisements__unpack(NULL, buffer_size(&body),
                                                  body.data ? buffer_front(&body) : data);
        assert_non_null(theirs);
        assert_same(&list, theirs);
        wire__raw_advertisements__free_unpacked(theirs, NULL);
        buffer_done(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_two_reports_of_the_vectors_are_read),
            cmocka_unit_test(A01_a_message_with_16_advertisements_yields_16_reports),
            cmocka_unit_test(rssi_address_and_data_are_written_also_when_they_are_0),
            cmocka_unit_test(every_rssi_survives_the_way),
            cmocka_unit_test(an_empty_message_has_no_reports),
            cmocka_unit_test(entries_nobody_can_use_are_skipped_and_counted),
            cmocka_unit_test(unknown_fields_of_all_wire_types_are_passed_over),
            cmocka_unit_test(an_rssi_that_no_radio_reports_counts_as_not_told),
            cmocka_unit_test(malformed_bodies_are_refused),
            cmocka_unit_test(random_bodies_are_read_as_protobuf_c_reads_them),
            cmocka_unit_test(what_we_write_protobuf_c_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
