/* place/test_listings.c - what is remembered of layers: found again, bounded, and gone when it is damaged. */
#include "place/listings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utime.h>
#include <cmocka.h>

#include "base/fs.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"

#define LAYERS "mlreg/private/" MLR_LISTINGS_DIR

static int set_up(void **state)
{
    *state = bed_dir_new();
    setenv("XDG_CACHE_HOME", *state, 1);
    return 0;
}

static int tear_down(void **state)
{
    bed_dir_remove(*state);
    return 0;
}

static mlr_digest digest_of(unsigned n)
{
    mlr_digest d;

    mlr_digest_of(&n, sizeof n, &d);
    return d;
}

/* `bytes` of them, which tell the number. */
static void keep(unsigned n, size_t bytes)
{
    const mlr_digest d = digest_of(n);
    mlr_buf b = MLR_BUF_INIT(MLR_LISTINGS_MAX_BYTES);

    assert_int_equal(mlr_buf_reserve(&b, bytes, NULL), 0);
    memset(b.data, 'a' + (int)(n % 26), bytes);
    b.len = bytes;
    mlr_listings_keep(&d, &b);
    mlr_buf_done(&b);
}

static bool knows(unsigned n, size_t bytes)
{
    const mlr_digest d = digest_of(n);
    mlr_buf b = MLR_BUF_INIT(MLR_LISTINGS_MAX_BYTES);
    bool known = mlr_listings_find(&d, &b);

    assert_true(!known || (b.len == bytes && (bytes == 0 || b.data[bytes - 1] == (char)('a' + n % 26))));
    mlr_buf_done(&b);
    return known;
}

static char *path_of(void **state, unsigned n)
{
    const mlr_digest d = digest_of(n);
    static char path[BED_PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", bed_at(*state, LAYERS), mlr_digest_hex(&d));
    return path;
}

static void grow_old(void **state, unsigned n)
{
    assert_int_equal(utime(path_of(state, n), &(struct utimbuf){ 1000, 1000 }), 0);
}

static void test_listings__are_found_again(void **state)
{
    (void)state;
    assert_false(knows(1, 5));
    keep(1, 5);
    keep(2, 0);
    assert_true(knows(1, 5));
    assert_true(knows(2, 0));
    assert_false(knows(3, 5));
}

static void test_listings__damaged_ones_are_as_good_as_missing(void **state)
{
    for (long at = -1; at < 30; at++) {
        FILE *f;

        keep(1, 5);
        if (at < 0) {
            assert_int_equal(truncate(path_of(state, 1), 7), 0);
        } else {
            assert_non_null(f = fopen(path_of(state, 1), "r+e"));
            assert_int_equal(fseek(f, at, SEEK_SET), 0);
            assert_int_equal(fputc('!', f), '!');
            fclose(f);
        }
        assert_false(knows(1, 5));
    }
}

static void test_listings__what_others_may_write_is_not_believed(void **state)
{
    keep(1, 5);
    assert_int_equal(chmod(bed_at(*state, LAYERS), 0777), 0);
    assert_false(knows(1, 5));
    keep(2, 5);
    assert_int_equal(chmod(bed_at(*state, LAYERS), 0700), 0);
    assert_false(knows(2, 5));
    assert_int_equal(chmod(path_of(state, 1), 0666), 0);
    assert_false(knows(1, 5));
}

static void test_listings__the_oldest_makes_room_for_the_newest(void **state)
{
    keep(7, 1);
    keep(8, 1);
    for (unsigned n = 2; n < MLR_LISTINGS_MAX; n++) {
        char name[64];

        snprintf(name, sizeof name, LAYERS "/.tmp-%u", n);
        bed_write(bed_at(*state, name), "of somebody who was killed");
    }
    assert_int_equal(bed_count(bed_at(*state, LAYERS)), MLR_LISTINGS_MAX);
    grow_old(state, 7);
    keep(1000, 1);
    assert_int_equal(bed_count(bed_at(*state, LAYERS)), MLR_LISTINGS_MAX);
    assert_false(knows(7, 1));
    assert_true(knows(8, 1));
    assert_true(knows(1000, 1));
}

static void test_listings__take_so_many_bytes_and_no_more(void **state)
{
    for (unsigned n = 0; n < 5; n++) {
        keep(n, MLR_LISTINGS_MAX_BYTES - 100);
        if (n == 2)
            grow_old(state, n);
    }
    assert_false(knows(2, MLR_LISTINGS_MAX_BYTES - 100));
    assert_true(knows(0, MLR_LISTINGS_MAX_BYTES - 100));
    assert_true(knows(4, MLR_LISTINGS_MAX_BYTES - 100));
}

static void test_listings__no_failure_is_anybody_elses(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth < 40; nth++) {
        fs_fault_arm((int)nth, 0, EIO);
        keep(nth, 5);
        (void)knows(nth, 5);
        (void)fs_fault_disarm();
    }
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    keep(1, 5);
    assert_false(knows(1, 5));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_listings__are_found_again),
        TEST(test_listings__damaged_ones_are_as_good_as_missing),
        TEST(test_listings__what_others_may_write_is_not_believed),
        TEST(test_listings__the_oldest_makes_room_for_the_newest),
        TEST(test_listings__take_so_many_bytes_and_no_more),
        TEST(test_listings__no_failure_is_anybody_elses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
