#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "accounts/secret.h"

static void a_token_is_a_prefix_and_43_characters(void **state)
{
    uint8_t random[SECRET_RANDOM_SIZE];
    char token[SECRET_TOKEN_SIZE];

    (void) state;
    memset(random, 0xff, sizeof random);
    secret_make_token(random, token);
    assert_string_equal(token, "blf___________________________________________8");
    memset(random, 0, sizeof random);
    secret_make_token(random, token);
    assert_string_equal(token, "blf_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}

static void the_hash_is_blake2b_of_256_bits(void **state)
{
    /* b2sum -l 256 of "abc", which anybody can make again */
    static const uint8_t abc[SECRET_HASH_SIZE] = {
            0xbd, 0xdd, 0x81, 0x3c, 0x63, 0x42, 0x39, 0x72, 0x31, 0x71, 0xef,
            0x3f, 0xee, 0x98, 0x57, 0x9b, 0x94, 0x96, 0x4e, 0x3b, 0xb1, 0xcb,
            0x3e, 0x42, 0x72, 0x62, 0xc8, 0xc0, 0x68, 0xd5, 0x23, 0x19,
    };
    uint8_t hash[SECRET_HASH_SIZE];

    (void) state;
    secret_hash("abc", hash);
    assert_memory_equal(hash, abc, sizeof abc);
    assert_true(secret_is_equal(hash, abc));
    hash[31] ^= 1;
    assert_false(secret_is_equal(hash, abc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_token_is_a_prefix_and_43_characters),
            cmocka_unit_test(the_hash_is_blake2b_of_256_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
