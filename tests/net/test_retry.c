/* tests/net/test_retry.c - trying again: how often, how long, until when. The clock stands still but for the waits. */
#include "net/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"

struct still_clock {
    uint64_t      now_ms, slept_ms, last_sleep_ms;
    unsigned char chance;              /* every random byte */
};

static uint64_t now_ms(void *user)
{
    return ((struct still_clock *)user)->now_ms;
}

static int64_t wall_ms(void *user)
{
    return (int64_t)((struct still_clock *)user)->now_ms;
}

static void chance(void *user, void *out, size_t len)
{
    memset(out, ((struct still_clock *)user)->chance, len);
}

static void pass(void *user, uint64_t ms)
{
    struct still_clock *c = user;

    c->now_ms += ms;
    c->slept_ms += ms;
    c->last_sleep_ms = ms;
}

static struct still_clock the_clock;

static int setup(void **state)
{
    static const mlr_clock seam = {now_ms, wall_ms, chance, pass, &the_clock};

    the_clock = (struct still_clock){.now_ms = 1000000};
    mlr_clock_use(&seam);
    *state = &the_clock;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mlr_clock_use(NULL);
    return 0;
}

static void test_retry__statuses_and_codes(void **state)
{
    static const int again[] = {408, 429, 500, 502, 503, 504};
    static const int final[] = {0, 200, 206, 301, 307, 400, 401, 403, 404, 405, 409, 413, 416, 501, 505};

    (void)state;
    for (size_t i = 0; i < sizeof again / sizeof *again; i++)
        assert_true(mlr_retry_status(again[i]));
    for (size_t i = 0; i < sizeof final / sizeof *final; i++)
        assert_false(mlr_retry_status(final[i]));
    assert_true(mlr_retry_code(MLREG_ENET));
    assert_true(mlr_retry_code(MLREG_ETIMEDOUT));
    assert_false(mlr_retry_code(MLREG_ECANCELLED));
    assert_false(mlr_retry_code(MLREG_EAUTH));
    assert_false(mlr_retry_code(0));
}

static void test_retry__waits_double_up_to_the_longest(void **state)
{
    static const uint64_t expected[] = {200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000};
    struct still_clock   *c = *state;
    mlr_retry             r = MLR_RETRY_INIT(9);

    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        r.began_ms = c->now_ms;                      /* as if no time had passed: only the count is looked at here */
        assert_int_equal(mlr_retry_again(&r, NULL, NULL, NULL), 1);
        assert_int_equal(c->last_sleep_ms, expected[i]);
    }
}

static void test_retry__chance_takes_off_up_to_half(void **state)
{
    struct still_clock *c = *state;
    uint64_t            least = UINT64_MAX, most = 0;

    for (int i = 0; i < 255; i++) {                  /* 255 is drawn again, and would be for ever */
        mlr_retry r = MLR_RETRY_INIT(1);

        c->chance = (unsigned char)i;
        assert_int_equal(mlr_retry_again(&r, NULL, NULL, NULL), 1);
        least = c->last_sleep_ms < least ? c->last_sleep_ms : least;
        most = c->last_sleep_ms > most ? c->last_sleep_ms : most;
    }
    assert_in_range(least, 100, 110);
    assert_int_equal(most, 200);
}

static void test_retry__tries_are_counted(void **state)
{
    struct still_clock *c = *state;
    mlr_retry           none = MLR_RETRY_INIT(0), two = MLR_RETRY_INIT(2);

    assert_int_equal(mlr_retry_again(&none, NULL, NULL, NULL), 0);
    assert_int_equal(c->slept_ms, 0);
    assert_int_equal(mlr_retry_again(&two, NULL, NULL, NULL), 1);
    assert_int_equal(mlr_retry_again(&two, NULL, NULL, NULL), 1);
    assert_int_equal(mlr_retry_again(&two, NULL, NULL, NULL), 0);
}

static void test_retry__counts_into_the_statistics(void **state)
{
    mlreg_op   *remote = NULL;
    mlr_op     *op = NULL;
    mlreg_stats stats;
    mlr_retry   r = MLR_RETRY_INIT(2);

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    while (mlr_retry_again(&r, NULL, op, NULL) == 1)
        ;
    mlr_op_end(op);
    mlr_remote_stats(remote, &stats);
    assert_int_equal(stats.retries, 2);
    mlr_remote_free(remote);
}

static void test_retry__cancelled_while_it_waits(void **state)
{
    mlreg_op    *remote = NULL;
    mlr_op      *op = NULL;
    mlreg_error *err = NULL;
    mlr_retry    r = MLR_RETRY_INIT(2);

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    mlr_remote_cancel(remote);
    assert_int_equal(mlr_retry_again(&r, NULL, op, &err), MLREG_ECANCELLED);
    assert_int_equal(err->code, MLREG_ECANCELLED);
    mlr_error_done(err);
    mlr_op_end(op);
    mlr_remote_free(remote);
}

/* A server that stalls costs 30 s a try; whatever the number of tries, the last one has ended after 120 s. */
static void test_retry__a_stalling_server_is_given_up_within_two_minutes(void **state)
{
    struct still_clock *c = *state;
    mlr_retry           r = MLR_RETRY_INIT(1000);
    uint64_t            began = r.began_ms = c->now_ms;

    do
        c->now_ms += 30000;
    while (mlr_retry_again(&r, NULL, NULL, NULL) == 1);
    assert_in_range(c->now_ms - began, 60000, 120000);
}

static void test_retry__a_server_that_fails_at_once_is_given_up_within_two_minutes(void **state)
{
    struct still_clock *c = *state;
    mlr_retry           r = MLR_RETRY_INIT(1000);
    uint64_t            began = r.began_ms = c->now_ms;

    while (mlr_retry_again(&r, NULL, NULL, NULL) == 1)
        ;
    assert_in_range(c->now_ms - began, 50000, 120000);
}

static void test_retry__a_mebibyte_renews_the_budget(void **state)
{
    struct still_clock *c = *state;
    mlr_retry           r = MLR_RETRY_INIT(1);

    assert_int_equal(mlr_retry_again(&r, NULL, NULL, NULL), 1);
    c->now_ms += 200000;
    mlr_retry_progress(&r, (1u << 20) - 1);
    assert_int_equal(mlr_retry_again(&r, NULL, NULL, NULL), 0);
    mlr_retry_progress(&r, 1);
    assert_int_equal(mlr_retry_again(&r, NULL, NULL, NULL), 1);
    assert_int_equal(mlr_retry_again(&r, NULL, NULL, NULL), 0);
}

static void test_retry__retry_after_prolongs_the_wait(void **state)
{
    static const struct {
        const char *value;
        uint64_t    wait_ms;
    } cases[] = {
        {"7", 7000},   {"0", 200},  {"60", 60000}, {"61", 60000}, {"99999999999999999999", 60000},
        {"-5", 200},   {"soon", 200}, {"", 200},   {"1.5s", 200},
        {"Thu, 01 Jan 1970 00:16:45 GMT", 5000},   /* the clock stands at 1000 s */
        {"Thu, 01 Jan 1970 00:00:00 GMT", 200},    {"Fri, 31 Dec 9999 23:59:59 GMT", 60000},
    };
    struct still_clock *c = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlr_retry r = MLR_RETRY_INIT(1);

        c->now_ms = 1000000;
        assert_int_equal(mlr_retry_again(&r, cases[i].value, NULL, NULL), 1);
        assert_int_equal(c->last_sleep_ms, cases[i].wait_ms);
    }
}

static void test_retry__retry_after_values(void **state)
{
    static const struct {
        const char *value;
        int64_t     ms;
    } cases[] = {
        {" 3 ", 3000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777000},
        {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
        {"Sun, 06 N 1994 08:49:37 GMT", -1},
        {"Sun, 06 anF 1994 08:49:37 GMT", -1},
        {"Sun, 32 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 24:49:37 GMT", -1},
        {"Sun, 06 Nov -994 08:49:37 GMT", -1},
        {"Sunday, 06-Nov-94 08:49:37 GMT", -1},
        {"3 4", -1},
        {"0x10", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(mlr_retry_after_ms(cases[i].value, 0), cases[i].ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_retry__statuses_and_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry__waits_double_up_to_the_longest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry__chance_takes_off_up_to_half, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry__tries_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry__counts_into_the_statistics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry__cancelled_while_it_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry__a_stalling_server_is_given_up_within_two_minutes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry__a_server_that_fails_at_once_is_given_up_within_two_minutes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry__a_mebibyte_renews_the_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry__retry_after_prolongs_the_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry__retry_after_values, setup, teardown),
    };

    return cmocka_run_group_tests_name("net/retry", tests, NULL, NULL);
}
