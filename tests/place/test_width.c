/* tests/place/test_width.c - how many connections: as many as make it faster, by a clock that the test holds. */
#include "place/width.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* A line that gives each connection so much, and all of them no more than that. */
struct line { double each, all; uint64_t ask_ms; double held; uint64_t piece; };   /* piece: bytes that arrive at once; 0: as they come */

static unsigned after_ms(mlr_width *w, mlr_seen *now, const struct line *l, uint64_t ms)
{
    uint64_t there = now->bytes;

    for (uint64_t end = now->ms + ms; now->ms < end; mlr_width_look(w, now)) {
        double rate = l->each * w->n < l->all ? l->each * w->n : l->all;

        now->ms += 25;
        there += (uint64_t)(rate * 25);
        now->bytes = l->piece > 0 ? there - there % (l->piece * w->n) : there;
        now->held_ms += (uint64_t)(l->held * 25 * w->n);
        now->ask_ms = l->ask_ms;
    }
    return w->n;
}

static unsigned settled(struct line l, unsigned most)
{
    mlr_seen  now = { .ms = 1000 };
    mlr_width w;

    mlr_width_init(&w, most, &now);
    return after_ms(&w, &now, &l, 10000);
}

static void test_width__grows_while_that_is_faster(void **state)
{
    (void)state;
    assert_int_equal(settled((struct line){ 50e3, 1e9, 50, 0, 0 }, 16), 16);
    assert_int_equal(settled((struct line){ 50e3, 1e9, 0, 0, 0 }, 3), 3);
    assert_int_equal(settled((struct line){ 50e3, 200e3, 5, 0, 0 }, 16), 4);
}

static void test_width__stays_at_one_where_one_fills_the_line(void **state)
{
    (void)state;
    assert_int_equal(settled((struct line){ 500e3, 500e3, 5, 0, 0 }, 16), 1);
}

static void test_width__stays_where_disk_and_hash_are_what_is_slow(void **state)
{
    (void)state;
    assert_int_equal(settled((struct line){ 500e3, 1e9, 5, 0.5, 0 }, 16), 1);
}

static void test_width__is_there_within_half_a_second(void **state)
{
    mlr_seen    now = { .ms = 1000 };
    mlr_width   w;
    struct line l = { 50e3, 1e9, 50, 0, 0 };

    (void)state;
    mlr_width_init(&w, 16, &now);
    assert_int_equal(after_ms(&w, &now, &l, 600), 16);
}

static void test_width__shrinks_when_fewer_do_as_well(void **state)
{
    mlr_seen  now = { .ms = 1000 };
    mlr_width w;

    (void)state;
    mlr_width_init(&w, 16, &now);
    assert_int_equal(after_ms(&w, &now, &(struct line){ 50e3, 1e9, 5, 0, 0 }, 5000), 16);
    assert_int_equal(after_ms(&w, &now, &(struct line){ 50e3, 100e3, 5, 0, 0 }, 2000), 8);
}

static void test_width__is_not_misled_by_bursts(void **state)
{
    (void)state;
    assert_int_equal(settled((struct line){ 6e3, 1e9, 50, 0, 512 << 10 }, 16), 16);
    assert_int_equal(settled((struct line){ 2e3, 1e9, 50, 0, 256 << 10 }, 16), 16);
}

static void test_width__tries_again_when_the_line_may_have_changed(void **state)
{
    mlr_seen  now = { .ms = 1000 };
    mlr_width w;

    (void)state;
    mlr_width_init(&w, 16, &now);
    assert_int_equal(after_ms(&w, &now, &(struct line){ 50e3, 50e3, 5, 0, 0 }, 1000), 1);
    assert_int_equal(after_ms(&w, &now, &(struct line){ 50e3, 1e9, 5, 0, 0 }, 4000), 16);
}

static void test_width__waits_for_a_first_answer(void **state)
{
    mlr_seen  now = { .ms = 1000, .all_bytes = (uint64_t)4 << 40 };
    mlr_width w;

    (void)state;
    mlr_width_init(&w, 16, &now);
    assert_int_equal(after_ms(&w, &now, &(struct line){ 0, 0, 0, 0, 0 }, 20000), 1);
    assert_int_equal(after_ms(&w, &now, &(struct line){ 50e3, 1e9, 50, 0, 0 }, 2000), 16);
}

/* Four GiB from a server that reads all of a blob before it answers, or one that had to fetch it from elsewhere. */
static unsigned after_slow_answer(uint64_t answer_ms, double each, uint64_t ms)
{
    mlr_seen  now = { .ms = 1000, .all_bytes = (uint64_t)4 << 30 };
    mlr_width w;

    mlr_width_init(&w, 16, &now);
    after_ms(&w, &now, &(struct line){ 0, 0, 0, 0, 0 }, answer_ms);
    return after_ms(&w, &now, &(struct line){ each, 1e9, 5, 0, 0 }, ms);
}

static void test_width__asks_once_where_an_answer_takes_as_long_as_all_the_bytes(void **state)
{
    (void)state;
    assert_int_equal(after_slow_answer(10000, 400e3, 9000), 1);
    assert_int_equal(after_slow_answer(10000, 40e3, 9000), 16);
    assert_int_equal(after_slow_answer(500, 400e3, 1500), 16);
}

static void test_width__takes_no_for_an_answer(void **state)
{
    mlr_seen  now = { .ms = 1000 };
    mlr_width w;

    (void)state;
    mlr_width_init(&w, 16, &now);
    mlr_width_refused(&w, 2);
    assert_int_equal(after_ms(&w, &now, &(struct line){ 50e3, 1e9, 5, 0, 0 }, 5000), 2);
    assert_int_equal(after_ms(&w, &now, &(struct line){ 50e3, 1e9, 5, 0, 0 }, 10000), 16);       /* but not for ever */
}

static void test_width__asks_again_when_there_were_none_to_be_had(void **state)
{
    mlr_seen  now = { .ms = 1000 };
    mlr_width w;

    (void)state;
    mlr_width_init(&w, 16, &now);
    mlr_width_limited(&w, 1);
    assert_int_equal(after_ms(&w, &now, &(struct line){ 50e3, 1e9, 5, 0, 0 }, 5000), 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_width__grows_while_that_is_faster),
        cmocka_unit_test(test_width__stays_at_one_where_one_fills_the_line),
        cmocka_unit_test(test_width__stays_where_disk_and_hash_are_what_is_slow),
        cmocka_unit_test(test_width__is_there_within_half_a_second),
        cmocka_unit_test(test_width__shrinks_when_fewer_do_as_well),
        cmocka_unit_test(test_width__is_not_misled_by_bursts),
        cmocka_unit_test(test_width__tries_again_when_the_line_may_have_changed),
        cmocka_unit_test(test_width__waits_for_a_first_answer),
        cmocka_unit_test(test_width__asks_once_where_an_answer_takes_as_long_as_all_the_bytes),
        cmocka_unit_test(test_width__takes_no_for_an_answer),
        cmocka_unit_test(test_width__asks_again_when_there_were_none_to_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
