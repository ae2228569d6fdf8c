/* Which of the names that a device calls itself is its name (A06 to A08). */
#include "table_fixture.h"

static void call(struct fixture *f, uint16_t source, uint8_t type, const char *name)
{
    uint8_t data[BLE_REPORT_DATA_MAX];
    size_t size = strlen(name);

    data[0] = (uint8_t) (size + 1);
    data[1] = type;
    memcpy(data + 2, name, size);
    fixture_hear_octets(f, source, DEVICE, -60, data, size + 2);
}

/* The last call was heard, and the name is this now. */
static void expect(const struct fixture *f, const char *name, bool is_change)
{
    assert_string_equal(fixture_facts(f).name, name);
    assert_int_equal(fixture_kinds(f) & DEVICE_PAYLOAD, is_change ? DEVICE_PAYLOAD : 0);
}

static void A08_another_name_replaces_whatever_its_length(void **state)
{
    struct fixture *f = *state;

    call(f, 0, 9, "Onv");
    call(f, 0, 9, "Donkey");
    expect(f, "Donkey", true);
    call(f, 0, 9, "Onv");
    expect(f, "Onv", true);
    call(f, 0, 9, "Cow");
    expect(f, "Cow", true);
}

static void A08_beginning_of_the_name_does_not_replace_it(void **state)
{
    struct fixture *f = *state;

    call(f, 0, 9, "Onvis XXX");
    call(f, 0, 9, "Onv");
    expect(f, "Onvis XXX", false);
    call(f, 1, 8, "oNV");
    expect(f, "Onvis XXX", false);
}

static void A08_another_case_does_not_replace_it(void **state)
{
    struct fixture *f = *state;

    call(f, 0, 9, "Onvis XXX");
    call(f, 0, 9, "onvis xxx");
    expect(f, "Onvis XXX", false);
}

static void A08_longer_name_replaces_its_beginning(void **state)
{
    struct fixture *f = *state;

    call(f, 0, 8, "Onv");
    call(f, 1, 9, "onvis XXX");
    expect(f, "onvis XXX", true);
}

static void A08_case_is_that_of_ascii_and_other_letters_are_compared_exactly(void **state)
{
    struct fixture *f = *state;

    call(f, 0, 9, "T\xc3\xbcr A");
    call(f, 0, 9, "t\xc3\xbcr a");
    expect(f, "T\xc3\xbcr A", false);
    call(f, 0, 9, "t\xc3\x9cr a"); /* the capital letter */
    expect(f, "t\xc3\x9cr a", true);
}

static void name_cut_within_a_letter_does_not_replace_it(void **state)
{
    struct fixture *f = *state;

    call(f, 0, 9, "T\xc3\xbcr");
    call(f, 0, 8, "T\xc3");
    expect(f, "T\xc3\xbcr", false);
}

static void beginning_of_a_former_name_is_a_name_after_a_rename(void **state)
{
    struct fixture *f = *state;

    call(f, 0, 9, "Onvis XXX");
    call(f, 0, 9, "Onv");
    call(f, 0, 9, "Donkey");
    call(f, 0, 9, "Onv");
    expect(f, "Onv", true);
}

static void name_that_was_cut_short_keeps_its_time(void **state)
{
    struct fixture *f = *state;
    usec_t heard = f->now;

    call(f, 0, 9, "Onvis XXX");
    f->now += SECONDS(10);
    call(f, 1, 9, "Onv");
    assert_true(fixture_element(f, 9, -1).last_seen == heard);
    assert_int_equal(fixture_element(f, 9, -1).source, 0);
}

static void A07_name_stays_whoever_hears_the_device_without_one(void **state)
{
    struct fixture *f = *state;

    call(f, 0, 9, "Onvis XXX");
    fixture_hear(f, 1, -40, "020106");
    assert_string_equal(fixture_facts(f).name, "Onvis XXX");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            FIXTURE_TEST(A08_another_name_replaces_whatever_its_length),
            FIXTURE_TEST(A08_beginning_of_the_name_does_not_replace_it),
            FIXTURE_TEST(A08_another_case_does_not_replace_it),
            FIXTURE_TEST(A08_longer_name_replaces_its_beginning),
            FIXTURE_TEST(A08_case_is_that_of_ascii_and_other_letters_are_compared_exactly),
            FIXTURE_TEST(name_cut_within_a_letter_does_not_replace_it),
            FIXTURE_TEST(beginning_of_a_former_name_is_a_name_after_a_rename),
            FIXTURE_TEST(name_that_was_cut_short_keeps_its_time),
            FIXTURE_TEST(A07_name_stays_whoever_hears_the_device_without_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
