/* tests/model/test_tarlayer.c - tars made while they are read: laid out as promised, and read back by libarchive. */
#include "model/tarlayer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "codec/archive.h"

static mlr_tarlayer *begin(void)
{
    mlr_tarlayer *t = NULL;

    bed_assert_rc(mlr_tarlayer_new(0, &t, &err), 0);
    return t;
}

/* All of it, read in pieces of `piece` bytes. */
static char *read_all(mlr_tarlayer *t, size_t piece, size_t *len)
{
    mlr_reader *r = NULL;
    char       *bytes;

    bed_assert_rc(mlr_tarlayer_open(t, "tar", &r, &err), 0);
    *len = (size_t)r->bytes;
    bytes = malloc(*len);
    assert_non_null(bytes);
    for (size_t at = 0; at < *len; at += piece) {
        size_t n = *len - at < piece ? *len - at : piece;

        assert_int_equal(mlr_reader_read_at(r, at, bytes + at, n, NULL, NULL), n);
    }
    mlr_reader_free(r);
    return bytes;
}

/* Whether the tar holds a file of this name whose bytes, as libarchive reads them, are `text`. */
static bool holds(const char *tar, size_t len, const char *name, const char *text)
{
    mlr_reader  *r = NULL;
    mlr_archive *a = NULL;
    mlr_member   m;
    char         got[8192];
    bool         found = false;

    bed_assert_rc(mlr_reader_from_memory(tar, len, "tar", &r, &err), 0);
    bed_assert_rc(mlr_archive_open(r, NULL, NULL, &a, &err), 0);
    while (mlr_archive_next(a, &m, NULL) == 1)
        if (strcmp(m.name, name) == 0 && m.kind == MLR_MEMBER_FILE) {
            int64_t n = mlr_archive_read(a, got, sizeof got, NULL);

            found = n == (int64_t)strlen(text) && memcmp(got, text, (size_t)n) == 0;
        }
    mlr_archive_free(a);
    mlr_reader_free(r);
    return found;
}

static void assert_round_trip(const char *name, const char *text)
{
    char         *dir = bed_dir_new(), *tar, *again;
    mlr_tarlayer *t = begin();
    const char   *data;
    size_t        len, len_again;

    bed_write(bed_at(dir, "f"), text);
    bed_assert_rc(mlr_tarlayer_add_file(t, name, bed_at(dir, "f"), &err), 0);
    bed_assert_rc(mlr_tarlayer_plan(t, &err), 0);
    tar = read_all(t, 1 << 20, &len);
    again = read_all(t, 7, &len_again);
    assert_int_equal(len, len_again);
    assert_memory_equal(tar, again, len);
    assert_true(holds(tar, len, name, text));
    data = memmem(tar, len, text, strlen(text));
    assert_non_null(data);
    assert_int_equal((data - tar) % 4096, 0);
    free(tar);
    free(again);
    mlr_tarlayer_free(t);
    bed_dir_remove(dir);
}

/* Lengths around what fits into a header, and around the blocks of a pax header. */
static void test_tarlayer__any_name_is_kept_and_aligned(void **state)
{
    static const size_t lengths[] = { 1, 99, 100, 101, 155, 480, 500, 501, 502, 503, 504, 511, 512, 990, 1010, 1020, 1024, 3990 };
    char                name[4096];

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t k = 0; k < lengths[i]; k++)
            name[k] = k % 200 == 199 ? '/' : 'n';
        name[lengths[i]] = '\0';
        assert_round_trip(name, "these are bytes of a file");
    }
    assert_round_trip("Gr\xc3\xbc\xc3\x9f" "e", "bytes behind a name that is no ASCII");
}

/* What the last member left over decides how much padding the next one needs. */
static void test_tarlayer__every_file_of_a_page_is_aligned(void **state)
{
    char         *dir = bed_dir_new(), text[6000], *tar;
    mlr_tarlayer *t = begin();
    size_t        len;

    (void)state;
    for (int i = 0; i < 20; i++) {
        char name[16];

        memset(text, 'a' + i, sizeof text);
        text[4096 + 97 * i] = '\0';
        snprintf(name, sizeof name, "f%02d", i);
        bed_write(bed_at(dir, name), text);
    }
    bed_assert_rc(mlr_tarlayer_add_tree(t, "d", dir, NULL, &err), 0);
    bed_assert_rc(mlr_tarlayer_plan(t, &err), 0);
    tar = read_all(t, 100000, &len);
    for (int i = 0; i < 20; i++) {
        char        start[64];
        const char *at;

        memset(start, 'a' + i, sizeof start);
        at = memmem(tar, len, start, sizeof start);
        assert_non_null(at);
        assert_int_equal((at - tar) % 4096, 0);
    }
    free(tar);
    mlr_tarlayer_free(t);
    bed_dir_remove(dir);
}

static void test_tarlayer__folders_that_may_be_links_in_a_base_are_left_out(void **state)
{
    char         *dir = bed_dir_new(), *tar;
    mlr_tarlayer *t = begin();
    size_t        len;

    (void)state;
    bed_write(bed_at(dir, "f"), "x");
    bed_assert_rc(mlr_tarlayer_add_file(t, "lib/a/f", bed_at(dir, "f"), &err), 0);
    bed_assert_rc(mlr_tarlayer_add_file(t, "opt/b/f", bed_at(dir, "f"), &err), 0);
    bed_assert_rc(mlr_tarlayer_plan(t, &err), 0);
    tar = read_all(t, 1 << 20, &len);
    assert_memory_equal(tar, "lib/a/f", 8);
    assert_non_null(memmem(tar, len, "opt/b/", 7));
    free(tar);
    mlr_tarlayer_free(t);
    bed_dir_remove(dir);
}

static void test_tarlayer__a_tree_takes_the_place_of_no_usual_link(void **state)
{
    char         *dir = bed_dir_new(), *tar;
    mlr_tarlayer *t = begin();
    size_t        len;

    (void)state;
    bed_write(bed_at(dir, "f"), "x");
    bed_assert_rc(mlr_tarlayer_add_tree(t, "lib", dir, NULL, &err), 0);
    bed_assert_rc(mlr_tarlayer_add_tree(t, "opt/b", dir, NULL, &err), 0);
    bed_assert_rc(mlr_tarlayer_plan(t, &err), 0);
    tar = read_all(t, 1 << 20, &len);
    assert_memory_equal(tar, "lib/f", 6);
    assert_non_null(memmem(tar, len, "opt/b/", 7));
    free(tar);
    mlr_tarlayer_free(t);
    bed_dir_remove(dir);
}

static int ask(void *user, const mlr_member *m, bool implied, mlreg_error **err)
{
    if (strcmp(m->name, "no") == 0)
        return mlr_error_set(err, MLREG_EINVAL, "no");
    return implied && strcmp(m->name, user) == 0;
}

static void test_tarlayer__who_is_asked_leaves_out_and_refuses(void **state)
{
    char         *dir = bed_dir_new(), *tar;
    mlr_tarlayer *t = begin();
    size_t        len;

    (void)state;
    bed_write(bed_at(dir, "f"), "x");
    bed_assert_rc(mlr_tarlayer_add_file(t, "a/b/f", bed_at(dir, "f"), &err), 0);
    bed_assert_rc(mlr_tarlayer_plan(t, &err), 0);
    bed_assert_rc(mlr_tarlayer_settle(t, ask, (char *)"a", &err), 0);
    tar = read_all(t, 1 << 20, &len);
    assert_memory_equal(tar, "a/b/", 5);
    assert_true(holds(tar, len, "a/b/f", "x"));
    free(tar);
    bed_assert_rc(mlr_tarlayer_add_file(t, "no", bed_at(dir, "f"), &err), 0);
    bed_assert_rc(mlr_tarlayer_settle(t, ask, (char *)"a", &err), MLREG_EINVAL);
    mlr_tarlayer_free(t);
    bed_dir_remove(dir);
}

static void test_tarlayer__what_changed_since_is_an_error(void **state)
{
    char         *dir = bed_dir_new(), buf[8192];
    mlr_tarlayer *t = begin();
    mlr_reader   *r = NULL;
    mlreg_error  *why = NULL;

    (void)state;
    bed_write(bed_at(dir, "f"), "first");
    bed_assert_rc(mlr_tarlayer_add_file(t, "f", bed_at(dir, "f"), &err), 0);
    bed_assert_rc(mlr_tarlayer_plan(t, &err), 0);
    bed_write(bed_at(dir, "f"), "second");
    bed_assert_rc(mlr_tarlayer_open(t, "tar", &r, &err), 0);
    assert_int_equal(mlr_reader_read_at(r, 0, buf, sizeof buf, NULL, &why), MLREG_EIO);
    assert_non_null(strstr(why->message, "changed since it was added"));
    mlr_error_done(why);
    mlr_reader_free(r);
    mlr_tarlayer_free(t);
    bed_dir_remove(dir);
}

static void test_tarlayer__wrong_bytes_of_a_blob_are_found_out(void **state)
{
    mlr_tarlayer *t = begin();
    mlr_reader   *bytes = NULL, *r = NULL;
    mlr_digest    d;
    char          buf[8192];
    mlreg_error  *why = NULL;

    (void)state;
    mlr_digest_of("right", 5, &d);
    bed_assert_rc(mlr_reader_from_memory("wrong", 5, "blob", &bytes, &err), 0);
    bed_assert_rc(mlr_tarlayer_add_blob(t, "f", bytes, &d, 0644, &err), 0);
    bed_assert_rc(mlr_tarlayer_plan(t, &err), 0);
    bed_assert_rc(mlr_tarlayer_open(t, "tar", &r, &err), 0);
    assert_int_equal(mlr_reader_read_at(r, 0, buf, sizeof buf, NULL, &why), MLREG_EDIGEST);
    mlr_error_done(why);
    mlr_reader_free(r);
    mlr_tarlayer_free(t);
}

static void test_tarlayer__key_names_content_and_place(void **state)
{
    char         *dir = bed_dir_new();
    int64_t       later = mlr_clock_wall_ms() + 10000;
    mlr_digest    a, b, c;
    const char   *names[] = { "x/f", "y/f" };
    mlr_digest   *keys[] = { &a, &b };

    (void)state;
    bed_write(bed_at(dir, "f"), "text");
    for (int i = 0; i < 2; i++) {
        mlr_tarlayer *t = begin();

        bed_assert_rc(mlr_tarlayer_add_file(t, names[i], bed_at(dir, "f"), &err), 0);
        bed_assert_rc(mlr_tarlayer_plan(t, &err), 0);
        assert_false(mlr_tarlayer_key(t, mlr_clock_wall_ms(), &c));   /* too young */
        assert_true(mlr_tarlayer_key(t, later, keys[i]));
        assert_true(mlr_tarlayer_key(t, later, &c));
        assert_string_equal(c.text, keys[i]->text);
        mlr_tarlayer_free(t);
    }
    assert_string_not_equal(a.text, b.text);
    bed_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tarlayer__any_name_is_kept_and_aligned),
        cmocka_unit_test(test_tarlayer__every_file_of_a_page_is_aligned),
        cmocka_unit_test(test_tarlayer__folders_that_may_be_links_in_a_base_are_left_out),
        cmocka_unit_test(test_tarlayer__a_tree_takes_the_place_of_no_usual_link),
        cmocka_unit_test(test_tarlayer__who_is_asked_leaves_out_and_refuses),
        cmocka_unit_test(test_tarlayer__what_changed_since_is_an_error),
        cmocka_unit_test(test_tarlayer__wrong_bytes_of_a_blob_are_found_out),
        cmocka_unit_test(test_tarlayer__key_names_content_and_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
