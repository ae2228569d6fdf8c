#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "backup/sealed.h"

#define PASSPHRASE "correct horse battery"

static void what_is_sealed_opens_with_its_passphrase_alone(void **state)
{
    struct sealed sealed = {0};
    struct buffer opened = {0};

    (void) state;
    assert_int_equal(sealed_make(PASSPHRASE, "secret", 6, &sealed), 0);
    assert_null(memmem(buffer_front(&sealed.octets), buffer_size(&sealed.octets), "secret", 6));
    assert_int_equal(sealed_open(&sealed, "correct horse batterY", &opened), -EACCES);
    assert_int_equal(buffer_size(&opened), 0);
    assert_int_equal(sealed_open(&sealed, PASSPHRASE, &opened), 0);
    assert_int_equal(buffer_size(&opened), 6);
    assert_memory_equal(buffer_front(&opened), "secret", 6);
    buffer_done(&opened);
    sealed_done(&sealed);
}

static void what_was_changed_does_not_open(void **state)
{
    struct sealed sealed = {0};
    struct buffer opened = {0};

    (void) state;
    assert_int_equal(sealed_make(PASSPHRASE, "", 0, &sealed), 0);
    sealed.octets.data[sealed.octets.start] ^= 1;
    assert_int_equal(sealed_open(&sealed, PASSPHRASE, &opened), -EACCES);
    sealed.octets.data[sealed.octets.start] ^= 1;
    sealed.nonce[0] ^= 1;
    assert_int_equal(sealed_open(&sealed, PASSPHRASE, &opened), -EACCES);
    sealed.nonce[0] ^= 1;
    assert_int_equal(sealed_open(&sealed, PASSPHRASE, &opened), 0);
    assert_int_equal(buffer_size(&opened), 0);
    buffer_done(&opened);
    sealed_done(&sealed);
}

/* A file may ask for terabytes and years. */
static void more_work_than_ours_is_refused_without_doing_it(void **state)
{
    struct sealed sealed = {.operations = 3, .memory = (uint64_t) 1 << 40};
    struct buffer opened = {0};

    (void) state;
    buffer_append(&sealed.octets, "0123456789abcdef0123456789abcdef", 32);
    assert_int_equal(sealed_open(&sealed, PASSPHRASE, &opened), -ERANGE);
    sealed.memory = 8192;
    sealed.operations = UINT64_MAX;
    assert_int_equal(sealed_open(&sealed, PASSPHRASE, &opened), -ERANGE);
    sealed.operations = 0;
    assert_int_equal(sealed_open(&sealed, PASSPHRASE, &opened), -ERANGE);
    sealed.operations = 1;
    buffer_consume(&sealed.octets, 17); /* shorter than nothing sealed */
    assert_int_equal(sealed_open(&sealed, PASSPHRASE, &opened), -ERANGE);
    sealed_done(&sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_is_sealed_opens_with_its_passphrase_alone),
            cmocka_unit_test(what_was_changed_does_not_open),
            cmocka_unit_test(more_work_than_ours_is_refused_without_doing_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
