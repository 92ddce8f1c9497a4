/* place/test_ahead.c - many files hashed side by side: right, in whatever lengths, and never taken for another file. */
#include "place/ahead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "bed/bed.h"

#define N 40

typedef struct fixture {
    char         dir[64];
    mlr_runtime *rt;
    char        *paths[N];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    bed_dir_make(f->dir);
    assert_int_equal(mlr_runtime_new(NULL, &f->rt, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    mlr_runtime_unref(f->rt);
    for (int i = 0; i < N; i++)
        free(f->paths[i]);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static const char *write_pattern(fixture *f, size_t i, size_t bytes)
{
    char *data = malloc(bytes + 1), name[16];
    FILE *file;

    snprintf(name, sizeof name, "f%zu", i);
    f->paths[i] = bed_path(f->dir, name);
    bed_pattern(i, data, bytes);
    assert_non_null(file = fopen(f->paths[i], "we"));
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    free(data);
    return f->paths[i];
}

static int ask(mlr_ahead *a, size_t i, const char *path, mlr_digest *out)
{
    const mlr_ahead_file t = { a, i };
    mlr_reader          *r = NULL;
    int                  rc;

    assert_int_equal(mlr_reader_open_file(path, &r, NULL), 0);
    rc = mlr_ahead_digest(&t, r, true, NULL, out, NULL);
    mlr_reader_free(r);
    return rc;
}

static mlr_ahead *begin(fixture *f, size_t n, uint64_t least, mlr_digests *known)
{
    mlr_ahead *a = NULL;

    assert_int_equal(mlr_ahead_new(f->rt, NULL, (const char *const *)f->paths, n, least, known, &a, NULL), 0);
    assert_non_null(a);
    return a;
}

static void test_ahead__gives_every_file_its_digest(void **state)
{
    static const size_t odd[] = { 1, 63, 64, 65, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 3 << 20 };
    fixture            *f = *state;
    size_t              bytes[N];
    mlr_ahead          *a;

    for (size_t i = 0; i < N; i++)
        write_pattern(f, i, bytes[i] = odd[i % 8] + i / 8);
    a = begin(f, N, 1, NULL);
    for (size_t i = N; i-- > 0;) {
        char      *data = malloc(bytes[i]);
        mlr_digest got, want;

        bed_pattern(i, data, bytes[i]);
        mlr_digest_of(data, bytes[i], &want);
        assert_int_equal(ask(a, i, f->paths[i], &got), 1);
        assert_string_equal(got.text, want.text);
        free(data);
    }
    mlr_ahead_free(a);
}

static void test_ahead__passes_over_what_is_small_missing_or_known(void **state)
{
    fixture     *f = *state;
    char        *memory = bed_path(f->dir, "memory");
    mlr_digests *known = mlr_digests_new(memory);
    mlr_reader  *r = NULL;
    mlr_digest   d;
    mlr_ahead   *a;

    write_pattern(f, 0, 99);
    write_pattern(f, 1, 5000);
    write_pattern(f, 2, 6000);
    mlr_digest_of("x", 1, &d);
    assert_int_equal(mlr_reader_open_file(f->paths[1], &r, NULL), 0);
    mlr_digests_keep(known, r, mlr_clock_wall_ms() + 5000, &d);
    mlr_reader_free(r);
    f->paths[3] = bed_path(f->dir, "missing");
    a = begin(f, 5, 100, known);
    assert_int_equal(ask(a, 0, f->paths[0], &d), 0);
    assert_int_equal(ask(a, 1, f->paths[1], &d), 0);
    assert_int_equal(ask(a, 2, f->paths[2], &d), 1);
    assert_int_equal(ask(a, 3, f->paths[0], &d), 0);
    assert_int_equal(ask(a, 4, f->paths[0], &d), 0);
    mlr_ahead_free(a);
    mlr_digests_free(known);
    free(memory);
}

static void test_ahead__is_never_taken_for_a_file_that_was_replaced_or_written_to(void **state)
{
    fixture   *f = *state;
    mlr_digest d;
    mlr_ahead *a;

    write_pattern(f, 0, 5000);
    write_pattern(f, 1, 5000);
    a = begin(f, 2, 0, NULL);
    assert_int_equal(ask(a, 0, f->paths[0], &d), 1);
    assert_int_equal(ask(a, 0, f->paths[1], &d), 0);
    usleep(20000);
    assert_int_equal(truncate(f->paths[0], 4999), 0);
    assert_int_equal(truncate(f->paths[0], 5000), 0);
    assert_int_equal(ask(a, 0, f->paths[0], &d), 0);
    mlr_ahead_free(a);
}

static void test_ahead__can_be_left_in_the_middle(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < 20; i++)
        write_pattern(f, i, 2 << 20);
    for (int i = 0; i < 5; i++)
        mlr_ahead_free(begin(f, 20, 0, NULL));
}

static void test_ahead__without_threads_there_is_none(void **state)
{
    fixture    *f = *state;
    mlr_ahead  *a = NULL;
    const char *path = write_pattern(f, 0, 10);

    mlr_runtime_unref(f->rt);
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ .threads = (uint32_t)MLREG_NONE }, &f->rt, NULL), 0);
    assert_int_equal(mlr_ahead_new(f->rt, NULL, &path, 1, 0, NULL, &a, NULL), 0);
    assert_null(a);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        T(test_ahead__gives_every_file_its_digest),
        T(test_ahead__passes_over_what_is_small_missing_or_known),
        T(test_ahead__is_never_taken_for_a_file_that_was_replaced_or_written_to),
        T(test_ahead__can_be_left_in_the_middle),
        T(test_ahead__without_threads_there_is_none),
    };

    return cmocka_run_group_tests_name("place/ahead", tests, NULL, NULL);
}
