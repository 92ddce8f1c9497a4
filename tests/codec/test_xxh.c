/* tests/codec/test_xxh.c - XXH3 is the published one: journals written today are read by other versions. */
#include "codec/xxh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* The buffer and the values of xxHash's own sanity test (seed 0): each length takes another path through its code. */
static void test_xxh__gives_the_published_values(void **state)
{
    static const struct { size_t len; uint64_t sum; } published[] = {
        {0, 0x2d06800538d394c2},   {1, 0xc44bdff4074eecdb},   {6, 0x27b56a84cd2d7325},
        {12, 0xa713daf0dfbb77e7},  {24, 0xa3fe70bf9d3510eb},  {48, 0x397da259ecba1f11},
        {80, 0xbcdefbbb2c47c90a},  {195, 0xcd94217ee362ec3a}, {403, 0xcdeb804d65c6dea4},
        {512, 0x617e49599013cb6b}, {2048, 0xdd59e2c3a5f038e0},
    };
    static uint8_t data[2048];
    uint64_t generator = 2654435761u;

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(generator >> 56);
        generator *= 11400714785074694797u;
    }
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++)
        assert_true(mlr_xxh3(data, published[i].len) == published[i].sum);
}

static void test_xxh__takes_nothing_from_null(void **state)
{
    (void)state;
    assert_true(mlr_xxh3(NULL, 0) == mlr_xxh3("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xxh__gives_the_published_values),
        cmocka_unit_test(test_xxh__takes_nothing_from_null),
    };

    return cmocka_run_group_tests_name("codec/xxh", tests, NULL, NULL);
}
