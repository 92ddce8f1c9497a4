/* tests/base/test_clock.c - time and chance, and holding both still. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static void test_clock__goes_forward(void **state)
{
    uint64_t a = mlr_clock_ms(), b = a;

    (void)state;
    while (b == a)
        b = mlr_clock_ms();
    assert_true(b > a);
}

static void test_clock__wall_time_is_the_system_s(void **state)
{
    int64_t before = (int64_t)time(NULL), ms = mlr_clock_wall_ms();

    (void)state;
    assert_true(ms >= (before - 1) * 1000 && ms <= ((int64_t)time(NULL) + 1) * 1000);
}

static void test_clock__rfc3339(void **state)
{
    static const struct {
        int64_t     ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1795468080999, "2026-11-23T21:08:00Z"},
        {951782400000, "2000-02-29T00:00:00Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {INT64_MAX, "9999-12-31T23:59:59Z"},
        {INT64_MIN, "0000-01-01T00:00:00Z"},
    };
    char text[21];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlr_clock_rfc3339(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_clock__random_below_covers_its_range_evenly(void **state)
{
    int seen[7] = {0};

    (void)state;
    assert_int_equal(mlr_random_below(0), 0);
    assert_int_equal(mlr_random_below(1), 0);
    for (int i = 0; i < 7000; i++) {
        uint32_t v = mlr_random_below(7);

        assert_true(v < 7);
        seen[v]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 700, 1300);   /* 10 standard deviations */
}

static void test_clock__random_names_differ_and_are_plain(void **state)
{
    char a[17], b[17];

    (void)state;
    mlr_random_name(a);
    mlr_random_name(b);
    assert_int_equal(strlen(a), 16);
    assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz0123456789"), 16);
    assert_string_not_equal(a, b);
}

static uint64_t still_ms(void *user)
{
    return *(uint64_t *)user;
}

static int64_t still_wall_ms(void *user)
{
    return -(int64_t)*(uint64_t *)user;
}

static void still_random(void *user, void *out, size_t len)
{
    memset(out, (int)*(uint64_t *)user, len);
}

static void test_clock__the_seam_holds_time_and_chance_still(void **state)
{
    uint64_t  now = 5;
    mlr_clock still = {still_ms, still_wall_ms, still_random, NULL, &now};
    char      a[17], b[17];

    (void)state;
    assert_null(mlr_clock_in_use());
    mlr_clock_use(&still);
    assert_ptr_equal(mlr_clock_in_use(), &still);
    assert_true(mlr_clock_ms() == 5);
    assert_true(mlr_clock_wall_ms() == -5);
    mlr_random_name(a);
    mlr_random_name(b);
    assert_string_equal(a, b);
    still.ms = NULL;                           /* a missing member is the system's */
    assert_true(mlr_clock_ms() != 5);
    mlr_clock_use(NULL);
    assert_null(mlr_clock_in_use());
}

static void scripted_random(void *user, void *out, size_t len)
{
    const uint32_t **next = user;

    assert_int_equal(len, sizeof **next);
    memcpy(out, (*next)++, len);
}

static void test_clock__random_below_throws_uneven_values_away(void **state)
{
    static const uint32_t script[] = {0xffffffff, 0x80000001, 0x80000000};   /* of 2^32 only 0 .. 0x80000000 count */
    const uint32_t       *next = script;
    mlr_clock             scripted = {.random = scripted_random, .user = &next};

    (void)state;
    mlr_clock_use(&scripted);
    assert_int_equal(mlr_random_below(0x80000001u), 0x80000000u);
    assert_ptr_equal(next, script + 3);
    mlr_clock_use(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock__goes_forward),
        cmocka_unit_test(test_clock__wall_time_is_the_system_s),
        cmocka_unit_test(test_clock__rfc3339),
        cmocka_unit_test(test_clock__random_below_covers_its_range_evenly),
        cmocka_unit_test(test_clock__random_names_differ_and_are_plain),
        cmocka_unit_test(test_clock__the_seam_holds_time_and_chance_still),
        cmocka_unit_test(test_clock__random_below_throws_uneven_values_away),
    };
    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
