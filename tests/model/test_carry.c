/* tests/model/test_carry.c - one blob from one place to another: left alone, mounted, moved, noted, or got from where it is. */
#include "model/carry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "checkout_bed.h"
#include "place/absent.h"

#define TEXT "the bytes of a layer"
#define URL  "http://127.0.0.1:9/layer.tar"

/* From the memory behind `odd` to a store in dir/out. */
static mlr_place *open_store(fixture *f)
{
    return bed_open(f->out, MLREG_OPEN_CREATE, f->rt);
}

static mlr_blob blob(const char *repo)
{
    return bed_blob(repo, TEXT, strlen(TEXT));
}

static int carry(fixture *f, mlr_place *to, mlreg_error **err)
{
    const mlr_blob a = blob(REPO), b = blob("other");

    return mlr_carry(&f->odd->place, &a, to, &b, NULL, err);
}

static void test_carry__moves_what_is_not_there_and_nothing_else(void **state)
{
    fixture *f = *state;
    mlr_place *to = open_store(f);

    bed_put(f->place, REPO, TEXT);
    bed_assert_rc(carry(f, to, &err), 0);
    assert_int_equal(f->odd->opens, 1);
    assert_int_equal(bed_has(to, "other", TEXT), 1);
    bed_assert_rc(carry(f, to, &err), 0);
    assert_int_equal(f->odd->opens, 1);
    mlr_place_close(to);
}

static void test_carry__counts_every_byte_once_moved_or_not(void **state)
{
    fixture *f = *state;
    mlr_place *to = open_store(f);
    const mlr_blob a = blob(REPO), b = blob("other");

    bed_put(f->place, REPO, TEXT);
    for (int again = 0; again < 2; again++) {
        bed_call c = bed_begin();
        mlreg_stats s;

        bed_assert_rc(mlr_carry(&f->odd->place, &a, to, &b, c.op, &err), 0);
        s = bed_end(&c);
        assert_int_equal(s.bytes_done, strlen(TEXT));
        assert_int_equal(s.bytes_reused, again ? strlen(TEXT) : 0);
    }
    mlr_place_close(to);
}

static void test_carry__wrong_bytes_are_the_doing_of_where_they_came_from(void **state)
{
    fixture *f = *state;
    mlr_place *to = open_store(f);
    mlreg_error *why = NULL;

    bed_put(f->place, REPO, TEXT);
    f->odd->lie = blob("").digest;
    assert_int_equal(carry(f, to, &why), MLREG_EDIGEST);
    assert_string_equal(why->place, "the source");
    assert_int_equal(bed_has(to, "other", TEXT), 0);
    mlr_error_done(why);
    mlr_place_close(to);
}

/* ---- records ---- */

static void note(mlr_place *store, const char *location, const char *url)
{
    const mlr_blob b = blob(REPO);
    const mlr_absent where = { (char *)location, (char *)"base", (char *)url };

    bed_assert_rc(mlr_absent_note(store, &b, &where, &err), 0);
}

static void test_carry__a_record_goes_on_as_a_record(void **state)
{
    fixture *f = *state;
    mlr_place *from = open_store(f), *to = bed_open(bed_at(f->out, "second"), MLREG_OPEN_CREATE, f->rt);
    const mlr_blob a = blob(REPO), b = blob("other");
    mlr_absent got = { NULL, NULL, NULL };

    note(from, "http://127.0.0.1:9", NULL);
    bed_assert_rc(mlr_carry(from, &a, to, &b, NULL, &err), 0);
    bed_assert_rc(mlr_absent_find(to, &b.digest, &got, &err), 1);
    assert_string_equal(got.location, "http://127.0.0.1:9");
    mlr_absent_done(&got);
    mlr_place_close(to);
    mlr_place_close(from);
}

static const mlr_place_ops *real_ops;
static int n_looks;

static int counted_find(mlr_place *p, const mlr_digest *d, mlr_absent *out, mlreg_error **why)
{
    n_looks++;
    return real_ops->absent_find(p, d, out, why);
}

static void test_carry__looks_for_a_record_only_where_the_blob_was_not_found(void **state)
{
    fixture *f = *state;
    mlr_place *from = open_store(f), *to = bed_open(bed_at(f->out, "second"), MLREG_OPEN_CREATE, f->rt);
    const mlr_blob a = blob(REPO), b = blob("other");
    mlr_place_ops ops = *from->ops;

    bed_put(from, REPO, TEXT);
    real_ops = from->ops;
    ops.absent_find = counted_find;
    from->ops = &ops;
    n_looks = 0;
    bed_assert_rc(mlr_carry(from, &a, to, &b, NULL, &err), 0);
    bed_assert_rc(mlr_carry(from, &a, to, &b, NULL, &err), 0);
    assert_int_equal(n_looks, 0);
    from->ops = real_ops;
    mlr_place_close(to);
    mlr_place_close(from);
}

static void test_carry__to_who_keeps_no_records_it_must_come_from_where_it_is(void **state)
{
    fixture *f = *state;
    mlr_place *from = open_store(f);
    const mlr_blob a = blob(REPO), b = blob("other");
    mlreg_error *why = NULL;

    note(from, "http://127.0.0.1:9", NULL);
    assert_int_equal(mlr_carry(from, &a, f->place, &b, NULL, &why), MLREG_ENET);
    assert_non_null(strstr(why->hint, "base of http://127.0.0.1:9"));
    mlr_error_done(why);
    mlr_place_close(from);
}

static void test_carry__leaves_nothing_where_nobody_could_find_it(void **state)
{
    fixture *f = *state;
    mlr_place *to = open_store(f);
    const mlr_blob a = blob(REPO), b = blob("other");
    mlr_absent got = { NULL, NULL, NULL };

    bed_assert_rc(mlr_carry_leave(f->place, &a, to, &b, NULL, &err), 0);     /* memory is this process's own */
    bed_assert_rc(mlr_absent_find(to, &b.digest, &got, &err), 0);
    mlr_place_close(to);
}

/* ---- what is not to be distributed ---- */

static void test_carry__a_foreign_layer_is_noted_with_its_address(void **state)
{
    fixture *f = *state;
    mlr_place *to = open_store(f);
    const mlr_blob a = blob(REPO), b = blob("other");
    mlr_absent got = { NULL, NULL, NULL };

    bed_put(f->place, REPO, TEXT);
    bed_assert_rc(mlr_carry_leave_foreign(&f->odd->place, &a, URL, to, &b, NULL, &err), 0);
    assert_int_equal(bed_has(to, "other", TEXT), 0);
    bed_assert_rc(mlr_absent_find(to, &b.digest, &got, &err), 1);
    assert_string_equal(got.url, URL);
    mlr_absent_done(&got);
    bed_assert_rc(mlr_carry_leave_foreign(to, &b, URL, f->place, &a, NULL, &err), 0);     /* who keeps no records gets none */
    mlr_place_close(to);
}

static void test_carry__a_foreign_layer_that_is_wanted_is_moved_where_it_is_there(void **state)
{
    fixture *f = *state;
    mlr_place *to = open_store(f);
    const mlr_blob a = blob(REPO), b = blob("other");
    char *urls[] = { (char *)URL };
    const mlr_descriptor d = { .digest = a.digest, .bytes = a.bytes, .urls = urls, .n_urls = 1 };
    mlreg_error *why = NULL;

    assert_int_equal(mlr_carry_foreign(&f->odd->place, &a, &d, to, &b, NULL, &why), MLREG_EDENIED);   /* nobody named this machine */
    assert_non_null(strstr(why->hint, URL));
    mlr_error_done(why);
    bed_put(f->place, REPO, TEXT);
    bed_assert_rc(mlr_carry_foreign(&f->odd->place, &a, &d, to, &b, NULL, &err), 0);
    assert_int_equal(bed_has(to, "other", TEXT), 1);
    mlr_place_close(to);
}

static int at_address(mlr_place *p, const mlr_blob *b, const char *url, mlr_reader **out, mlreg_error **why)
{
    (void)p, (void)b;
    return mlr_reader_from_memory(strcmp(url, "wrong") == 0 ? "the bytes of a LAYER" : TEXT, strlen(TEXT), url, out, why);
}

static void test_carry__what_came_wrong_from_one_address_counts_no_more_when_it_came_from_the_next(void **state)
{
    fixture *f = *state;
    mlr_place *to = open_store(f);
    mlr_place_ops ops = *f->odd->place.ops;
    const mlr_blob a = blob(REPO), b = blob("other");
    char *urls[] = { (char *)"wrong", (char *)"right" };
    const mlr_descriptor d = { .digest = a.digest, .bytes = a.bytes, .urls = urls, .n_urls = 2 };
    bed_call c = bed_begin();
    mlreg_stats s;

    real_ops = f->odd->place.ops;
    ops.blob_at = at_address;
    f->odd->place.ops = &ops;
    bed_assert_rc(mlr_carry_foreign(&f->odd->place, &a, &d, to, &b, c.op, &err), 0);
    s = bed_end(&c);
    f->odd->place.ops = real_ops;
    assert_int_equal(bed_has(to, "other", TEXT), 1);
    assert_int_equal(s.bytes_done, strlen(TEXT));
    mlr_place_close(to);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_carry__moves_what_is_not_there_and_nothing_else),
        TEST(test_carry__counts_every_byte_once_moved_or_not),
        TEST(test_carry__wrong_bytes_are_the_doing_of_where_they_came_from),
        TEST(test_carry__a_record_goes_on_as_a_record),
        TEST(test_carry__looks_for_a_record_only_where_the_blob_was_not_found),
        TEST(test_carry__to_who_keeps_no_records_it_must_come_from_where_it_is),
        TEST(test_carry__leaves_nothing_where_nobody_could_find_it),
        TEST(test_carry__a_foreign_layer_is_noted_with_its_address),
        TEST(test_carry__a_foreign_layer_that_is_wanted_is_moved_where_it_is_there),
        TEST(test_carry__what_came_wrong_from_one_address_counts_no_more_when_it_came_from_the_next),
    };
    return cmocka_run_group_tests_name("model/carry", tests, NULL, NULL);
}
