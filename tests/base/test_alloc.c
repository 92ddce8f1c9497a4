/* tests/base/test_alloc.c - memory: sizes checked, everything through the seam. */
#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_alloc__zero_bytes_are_a_real_pointer(void **state)
{
    void *p = mlr_alloc(0), *q = mlr_alloc_array(0, 8), *r = mlr_realloc_array(NULL, 0, 0);

    (void)state;
    assert_non_null(p);
    assert_non_null(q);
    assert_non_null(r);
    mlr_free(p);
    mlr_free(q);
    mlr_free(r);
    mlr_free(NULL);
}

static void test_alloc__memory_comes_zeroed(void **state)
{
    unsigned char *p = mlr_alloc_array(100, 7);

    (void)state;
    assert_non_null(p);
    for (size_t i = 0; i < 700; i++)
        assert_int_equal(p[i], 0);
    mlr_free(p);
}

static void test_alloc__sizes_that_overflow_fail(void **state)
{
    char *p = mlr_alloc(4);

    (void)state;
    assert_null(mlr_alloc_array(SIZE_MAX / 2, 3));
    assert_null(mlr_alloc((size_t)PTRDIFF_MAX + 1));
    assert_null(mlr_realloc_array(p, SIZE_MAX, SIZE_MAX));   /* and `p` stands */
    assert_null(mlr_strndup("x", SIZE_MAX));
    mlr_free(p);
}

static void test_alloc__strings_are_copied(void **state)
{
    char *a = mlr_strdup("weights"), *b = mlr_strndup("a\0b", 3), *c = mlr_asprintf("%s-%d", "x", 42);

    (void)state;
    assert_string_equal(a, "weights");
    assert_memory_equal(b, "a\0b\0", 4);
    assert_string_equal(c, "x-42");
    mlr_free(a);
    mlr_free(b);
    mlr_free(c);
}

static void test_alloc__an_array_grows_and_keeps_its_items(void **state)
{
    int   *items = NULL;
    size_t cap = 0, n = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(mlr_grow(&items, &cap, n, sizeof *items), 0);
        assert_true(cap > n);
        items[n++] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    mlr_free(items);
}

static void test_alloc__growth_that_overflows_changes_nothing(void **state)
{
    char  *items = mlr_alloc(16), *before = items;
    size_t cap = SIZE_MAX / 2 + 1;

    (void)state;
    assert_int_equal(mlr_grow(&items, &cap, cap, 1), -1);
    assert_ptr_equal(items, before);
    assert_true(cap == SIZE_MAX / 2 + 1);
    mlr_free(items);
}

struct counter {
    int live, left;   /* left: how many more succeed */
};

static void *counting_resize(void *user, void *p, size_t bytes)
{
    struct counter *c = user;

    assert_true(bytes > 0);
    if (c->left-- <= 0)
        return NULL;
    c->live += p == NULL;
    p = realloc(p, bytes);
    return p;
}

static void counting_release(void *user, void *p)
{
    ((struct counter *)user)->live--;
    free(p);
}

static void test_alloc__everything_passes_through_the_seam(void **state)
{
    struct counter count = {0, 6};
    mlr_allocator  counting = {counting_resize, counting_release, &count};
    char          *p[6], *items = NULL;
    size_t         cap = 0;

    (void)state;
    mlr_alloc_use(&counting);
    p[0] = mlr_alloc(10);
    p[1] = mlr_alloc_array(2, 5);
    p[2] = mlr_realloc_array(NULL, 2, 5);
    p[3] = mlr_strdup("x");
    p[4] = mlr_asprintf("x");
    assert_int_equal(mlr_grow(&items, &cap, 0, 1), 0);
    p[5] = items;
    assert_int_equal(count.live, 6);
    assert_null(mlr_alloc(1));
    assert_null(mlr_strdup("x"));
    assert_null(mlr_asprintf("x"));
    assert_int_equal(mlr_grow(&items, &cap, cap, 1), -1);
    assert_ptr_equal(items, p[5]);
    for (int i = 0; i < 6; i++)
        mlr_free(p[i]);
    assert_int_equal(count.live, 0);
    mlr_alloc_use(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc__zero_bytes_are_a_real_pointer),
        cmocka_unit_test(test_alloc__memory_comes_zeroed),
        cmocka_unit_test(test_alloc__sizes_that_overflow_fail),
        cmocka_unit_test(test_alloc__strings_are_copied),
        cmocka_unit_test(test_alloc__an_array_grows_and_keeps_its_items),
        cmocka_unit_test(test_alloc__growth_that_overflows_changes_nothing),
        cmocka_unit_test(test_alloc__everything_passes_through_the_seam),
    };
    return cmocka_run_group_tests_name("base/alloc", tests, NULL, NULL);
}
