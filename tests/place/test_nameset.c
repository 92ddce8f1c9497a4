/* tests/place/test_nameset.c - a set that grows, and says of each name whether it was seen. */
#include "place/nameset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "bed/failing_alloc.h"

#define MANY 10000

static char names[MANY][16];

static void test_nameset__is_empty_at_first(void **state)
{
    mlr_nameset s = {NULL, 0, 0, 0};

    (void)state;
    assert_false(mlr_nameset_has(&s, "v1"));
    mlr_nameset_done(&s);
}

static void test_nameset__has_what_was_put_and_nothing_else(void **state)
{
    mlr_nameset s = {NULL, 0, 0, 0};

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "v%d", i);
        assert_false(mlr_nameset_has(&s, names[i]));
        assert_int_equal(mlr_nameset_put(&s, names[i], NULL), 0);
    }
    for (int i = 0; i < MANY; i++)
        assert_true(mlr_nameset_has(&s, names[i]));
    assert_false(mlr_nameset_has(&s, "v"));
    assert_false(mlr_nameset_has(&s, ""));
    mlr_nameset_done(&s);
}

static void fill(void *byte, void *out, size_t len)
{
    memset(out, *(const int *)byte, len);
}

static size_t slot_of(const mlr_nameset *s, const char *name)
{
    size_t i = 0;

    while (s->slots[i] == NULL || strcmp(s->slots[i], name) != 0)
        i++;
    return i;
}

/* Or a registry could choose half a million names that all want the same slot. */
static void test_nameset__nobody_can_know_where_a_name_goes(void **state)
{
    static const char *const some[] = {"a", "latest", "v1", "a-tag-that-is-somewhat-longer", "b"};
    int                      bytes[] = {1, 2}, same = 0;
    mlr_nameset              s[2] = {{NULL, 0, 0, 0}, {NULL, 0, 0, 0}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        const mlr_clock chance = {.random = fill, .user = &bytes[i]};

        mlr_clock_use(&chance);
        for (size_t k = 0; k < sizeof some / sizeof some[0]; k++)
            assert_int_equal(mlr_nameset_put(&s[i], some[k], NULL), 0);
        mlr_clock_use(NULL);
    }
    for (size_t k = 0; k < sizeof some / sizeof some[0]; k++)
        same += slot_of(&s[0], some[k]) == slot_of(&s[1], some[k]);
    assert_true(same <= 1);
    mlr_nameset_done(&s[0]);
    mlr_nameset_done(&s[1]);
}

static void test_nameset__stays_as_it_was_where_memory_is_out(void **state)
{
    mlr_nameset   s = {NULL, 0, 0, 0};
    failing_alloc f;

    (void)state;
    assert_int_equal(mlr_nameset_put(&s, "first", NULL), 0);
    failing_alloc_arm(&f, 1, true);
    for (int i = 0, rc = 0; rc == 0; i++) {
        snprintf(names[i], sizeof names[i], "v%d", i);
        rc = mlr_nameset_put(&s, names[i], NULL);
        assert_int_equal(mlr_nameset_has(&s, names[i]), rc == 0);
        assert_true(rc == 0 || rc == MLREG_ENOMEM);
    }
    assert_true(failing_alloc_disarm(&f));
    assert_true(mlr_nameset_has(&s, "first"));
    mlr_nameset_done(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nameset__is_empty_at_first),
        cmocka_unit_test(test_nameset__has_what_was_put_and_nothing_else),
        cmocka_unit_test(test_nameset__nobody_can_know_where_a_name_goes),
        cmocka_unit_test(test_nameset__stays_as_it_was_where_memory_is_out),
    };

    return cmocka_run_group_tests_name("place/nameset", tests, NULL, NULL);
}
