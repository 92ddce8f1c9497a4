/* tests/place/test_slabs.c - who fetches what next: every byte once, the lowest first, nobody idle while there is something to do. */
#include "place/slabs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SLAB MLR_SLAB_BYTES
#define LAST 5                           /* bytes in the last slab */

static mlr_slabs slabs_of(size_t n)
{
    mlr_slabs s;

    assert_int_equal(mlr_slabs_init(&s, (n - 1) * SLAB + LAST, NULL), 0);
    return s;
}

static void assert_run(const mlr_run *r, uint64_t at, uint64_t end)
{
    assert_true(r->is_taken);
    assert_int_equal(r->at, at);
    assert_int_equal(r->end, end);
}

/* Everything of a run arrives; gives its bytes. */
static uint64_t fetch(mlr_slabs *s, mlr_run *r, size_t most_chunks)
{
    uint64_t bytes = 0;
    size_t   len;

    for (size_t i = 0; i < most_chunks && (len = mlr_slabs_next(s, r)) > 0; i++, bytes += len) {
        uint64_t at = r->at;

        mlr_slabs_advance(s, r, len);
        mlr_slabs_put(s, at, len);
    }
    return bytes;
}

static void test_slabs__one_alone_gets_everything_in_order(void **state)
{
    mlr_slabs s = slabs_of(4);
    mlr_run   r = { 0 };

    (void)state;
    assert_true(mlr_slabs_take(&s, &r, SIZE_MAX));
    assert_run(&r, 0, s.bytes);
    assert_int_equal(fetch(&s, &r, SIZE_MAX), s.bytes);
    assert_false(r.is_taken);
    assert_int_equal(s.n_whole, 4);
    assert_false(mlr_slabs_take(&s, &r, 1));
    assert_false(mlr_slabs_can_help(&s));
    mlr_slabs_done(&s);
}

static void test_slabs__another_relieves_the_one_with_most_to_do_of_what_comes_next(void **state)
{
    mlr_slabs s = slabs_of(10);
    mlr_run   a = { 0 }, b = { 0 }, c = { 0 };

    (void)state;
    assert_true(mlr_slabs_take(&s, &a, SIZE_MAX));
    fetch(&s, &a, 1);
    assert_true(mlr_slabs_take(&s, &b, 2));
    assert_run(&a, MLR_CHUNK_BYTES, 2 * SLAB);
    assert_run(&b, 2 * SLAB, 4 * SLAB);
    assert_true(mlr_slabs_take(&s, &c, 2));
    assert_run(&c, 4 * SLAB, 6 * SLAB);
    mlr_slabs_done(&s);
}

static void test_slabs__the_slab_in_hand_is_nobody_elses(void **state)
{
    mlr_slabs s = slabs_of(2);
    mlr_run   a = { 0 }, b = { 0 }, c = { 0 };

    (void)state;
    assert_true(mlr_slabs_take(&s, &a, SIZE_MAX));
    assert_true(mlr_slabs_take(&s, &b, SIZE_MAX));
    assert_run(&a, 0, SLAB);
    assert_run(&b, SLAB, SLAB + LAST);
    assert_false(mlr_slabs_can_help(&s));
    assert_false(mlr_slabs_take(&s, &c, 1));
    mlr_slabs_done(&s);
}

static void test_slabs__what_is_dropped_goes_on_where_it_stopped(void **state)
{
    mlr_slabs s = slabs_of(3);
    mlr_run   a = { 0 }, b = { 0 };

    (void)state;
    assert_true(mlr_slabs_take(&s, &a, SIZE_MAX));
    fetch(&s, &a, 3);
    mlr_slabs_drop(&s, &a);
    mlr_slabs_drop(&s, &a);
    assert_int_equal(mlr_slabs_next(&s, &a), 0);
    assert_true(mlr_slabs_take(&s, &b, SIZE_MAX));
    assert_run(&b, 3 * MLR_CHUNK_BYTES, s.bytes);
    assert_int_equal(fetch(&s, &b, SIZE_MAX), s.bytes - 3 * MLR_CHUNK_BYTES);
    assert_int_equal(s.n_whole, 3);
    mlr_slabs_done(&s);
}

static void test_slabs__a_run_ends_before_a_slab_that_was_begun(void **state)
{
    mlr_slabs s = slabs_of(3);
    mlr_run   a = { 0 }, b = { 0 };

    (void)state;
    assert_true(mlr_slabs_take(&s, &a, 1));
    assert_true(mlr_slabs_take(&s, &b, 1));
    fetch(&s, &b, 1);
    mlr_slabs_drop(&s, &b);
    mlr_slabs_drop(&s, &a);
    assert_true(mlr_slabs_take(&s, &a, SIZE_MAX));
    assert_run(&a, 0, SLAB);
    assert_true(mlr_slabs_take(&s, &b, SIZE_MAX));
    assert_run(&b, SLAB + MLR_CHUNK_BYTES, s.bytes);
    mlr_slabs_done(&s);
}

static void test_slabs__what_is_there_already_is_not_fetched(void **state)
{
    mlr_slabs s = slabs_of(5);
    mlr_run   a = { 0 }, b = { 0 }, c = { 0 };

    (void)state;
    mlr_slabs_have(&s, 0, SLAB);
    mlr_slabs_have(&s, 2, SLAB);
    mlr_slabs_have(&s, 4, MLR_CHUNK_BYTES);
    assert_int_equal(mlr_slabs_there(&s, 0), SLAB);
    assert_int_equal(mlr_slabs_there(&s, SLAB - 1), 1);
    assert_int_equal(mlr_slabs_there(&s, SLAB), 0);
    assert_int_equal(mlr_slabs_there(&s, s.bytes), 0);
    assert_true(mlr_slabs_take(&s, &a, SIZE_MAX));
    assert_run(&a, SLAB, 2 * SLAB);
    assert_true(mlr_slabs_take(&s, &b, SIZE_MAX));
    assert_run(&b, 3 * SLAB, 4 * SLAB);
    assert_true(mlr_slabs_take(&s, &c, SIZE_MAX));
    assert_run(&c, 4 * SLAB + MLR_CHUNK_BYTES, s.bytes);
    mlr_slabs_done(&s);
}

/* Any order of taking, dropping and fetching brings every byte once. */
static void test_slabs__every_byte_comes_once_whatever_happens(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 200; seed++) {
        mlr_slabs s = slabs_of(1 + seed % 13);
        mlr_run   runs[5] = { { 0 } };
        uint64_t  bytes = 0;

        srand(seed);
        while (s.n_whole < s.n) {
            mlr_run *r = &runs[rand() % 5];

            if (!r->is_taken)
                mlr_slabs_take(&s, r, 1 + (size_t)rand() % 4);
            else if (rand() % 8 == 0)
                mlr_slabs_drop(&s, r);
            else
                bytes += fetch(&s, r, 1 + (size_t)rand() % 40);
        }
        assert_int_equal(bytes, s.bytes);
        assert_int_equal(s.n_runs, 0);
        mlr_slabs_done(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slabs__one_alone_gets_everything_in_order),
        cmocka_unit_test(test_slabs__another_relieves_the_one_with_most_to_do_of_what_comes_next),
        cmocka_unit_test(test_slabs__the_slab_in_hand_is_nobody_elses),
        cmocka_unit_test(test_slabs__what_is_dropped_goes_on_where_it_stopped),
        cmocka_unit_test(test_slabs__a_run_ends_before_a_slab_that_was_begun),
        cmocka_unit_test(test_slabs__what_is_there_already_is_not_fetched),
        cmocka_unit_test(test_slabs__every_byte_comes_once_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
