/* tests/place/test_absent.c - what a store lacks by design is recorded with where it is, for as long as a manifest names it. */
#include "place/absent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bed/artifact.h"
#include "bed/dir.h"

#define REPO "team/image"

typedef struct fixture { char *dir; mlr_runtime *rt; mlr_place *store; mlr_blob blob; } fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->dir = bed_dir_new();
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &f->rt, NULL), 0);
    f->store = bed_open(f->dir, MLREG_OPEN_CREATE, f->rt);
    f->blob = bed_blob(REPO, "a layer", 7);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    mlr_place_close(f->store);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static void note(fixture *f, const char *location, const char *repo, const char *url)
{
    const mlr_absent where = { (char *)location, (char *)repo, (char *)url };

    bed_assert_rc(mlr_absent_note(f->store, &f->blob, &where, &err), 0);
}

static void assert_found(fixture *f, const char *location, const char *repo, const char *url)
{
    mlr_absent got = { NULL, NULL, NULL };

    bed_assert_rc(mlr_absent_find(f->store, &f->blob.digest, &got, &err), 1);
    assert_string_equal(got.location, location);
    assert_string_equal(got.repo, repo);
    if (url == NULL)
        assert_null(got.url);
    else
        assert_string_equal(got.url, url);
    mlr_absent_done(&got);
}

static char *record_of(const fixture *f)
{
    static char path[BED_PATH_MAX];

    snprintf(path, sizeof path, "%s/.mlreg/" MLR_ABSENT_DIR "/%s", f->dir, mlr_digest_hex(&f->blob.digest));
    return path;
}

static void test_absent__a_record_says_where_and_the_last_one_counts(void **state)
{
    fixture *f = *state;

    note(f, "https://one", "base", NULL);
    assert_found(f, "https://one", "base", NULL);
    note(f, "https://two", "other/base", "https://vendor/layer.tar");
    assert_found(f, "https://two", "other/base", "https://vendor/layer.tar");
    note(f, "", "", "https://vendor/layer.tar");
    assert_found(f, "", "", "https://vendor/layer.tar");
}

static void test_absent__a_torn_record_is_none(void **state)
{
    static const char *const torn[] = { "", "{", "[]", "{\"location\":\"https://one\"}", "{\"location\":1,\"repository\":\"x\"}",
        "{\"location\":\"\",\"repository\":\"\"}" };
    fixture *f = *state;
    mlr_absent got = { NULL, NULL, NULL };

    bed_assert_rc(mlr_absent_find(f->store, &f->blob.digest, &got, &err), 0);
    note(f, "https://one", "base", NULL);
    for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
        bed_write(record_of(f), torn[i]);
        bed_assert_rc(mlr_absent_find(f->store, &f->blob.digest, &got, &err), 0);
        assert_null(got.location);
    }
}

static void test_absent__what_is_read_says_where_it_was_left(void **state)
{
    fixture *f = *state;
    mlreg_error *why = NULL;
    mlr_reader *r = NULL;

    note(f, "https://one", "base", NULL);
    assert_int_equal(mlr_place_blob_open(f->store, &f->blob, NULL, &r, &why), MLREG_ENOTFOUND);
    assert_non_null(strstr(why->message, "in base of https://one"));
    mlr_error_done(why);
    why = NULL;
    note(f, "https://one", "base", "https://vendor/layer.tar");
    assert_int_equal(mlr_place_blob_open(f->store, &f->blob, NULL, &r, &why), MLREG_ENOTFOUND);
    assert_non_null(strstr(why->message, "https://vendor/layer.tar"));
    assert_non_null(strstr(why->hint, "MLREG_COPY_FOREIGN"));
    mlr_error_done(why);
}

static void test_absent__goes_with_the_manifest_that_named_it(void **state)
{
    fixture *f = *state;
    mlr_manifest *m = bed_image_text("a layer", "test/artifact", NULL);
    mlreg_gc_options o;
    mlreg_gc_report report;
    mlr_absent got = { NULL, NULL, NULL };
    const mlr_ref tagged = { (char *)REPO, (char *)"v1", { "" } };

    MLREG_INIT(o);
    MLREG_INIT(report);
    o.grace_ms = MLREG_NONE;
    note(f, "https://one", "base", NULL);
    bed_put(f->store, REPO, "{}");
    bed_tag(f->store, REPO, "v1", m);                    /* complete, although its layer is not here */
    bed_assert_rc(mlr_place_gc(f->store, &o, NULL, &report, &err), 0);
    assert_found(f, "https://one", "base", NULL);
    bed_assert_rc(mlr_place_remove(f->store, &tagged, NULL, &err), 0);
    bed_assert_rc(mlr_place_gc(f->store, &o, NULL, &report, &err), 0);
    bed_assert_rc(mlr_absent_find(f->store, &f->blob.digest, &got, &err), 0);
    mlr_manifest_free(m);
}

static void test_absent__other_places_keep_no_records(void **state)
{
    fixture *f = *state;
    mlr_place *memory = bed_open("memory:", 0, f->rt);
    mlr_absent got = { NULL, NULL, NULL };

    assert_true(mlr_absent_can(f->store));
    assert_false(mlr_absent_can(memory));
    bed_assert_rc(mlr_absent_find(memory, &f->blob.digest, &got, &err), 0);
    bed_assert_rc(mlr_absent_of(f->store, REPO, &got, &err), 0);
    mlr_place_close(memory);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_absent__a_record_says_where_and_the_last_one_counts),
        TEST(test_absent__a_torn_record_is_none),
        TEST(test_absent__what_is_read_says_where_it_was_left),
        TEST(test_absent__goes_with_the_manifest_that_named_it),
        TEST(test_absent__other_places_keep_no_records),
    };
    return cmocka_run_group_tests_name("place/absent", tests, NULL, NULL);
}
