/* place/test_place.c - the door: which kind a location opens, and what it checks before any kind is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "bed/artifact.h"

static mlr_runtime *new_runtime(void)
{
    mlr_runtime *rt = NULL;
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &rt, NULL), 0);
    return rt;
}

static void test_place__refuses_locations_of_no_kind(void **state)
{
    static const struct {
        const char *location;
        int         rc;
    } cases[] = { { "", MLREG_EINVAL }, { "oci:", MLREG_EINVAL }, { "ftp://host", MLREG_ENOTSUP },
                  { "s3://bucket/x", MLREG_ENOTSUP } };
    mlr_runtime *rt = new_runtime();
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mlr_place   *p = NULL;
        mlreg_error *err = NULL;
        assert_int_equal(mlr_place_open(cases[i].location, NULL, rt, NULL, &p, &err), cases[i].rc);
        assert_string_equal(err->place, cases[i].location);
        assert_null(p);
        mlr_error_done(err);
    }
    mlr_runtime_unref(rt);
}

static void test_place__says_what_its_kind_cannot(void **state)
{
    mlr_runtime    *rt = new_runtime();
    mlr_place      *p = bed_open("memory:", 0, rt);
    mlreg_gc_report report;
    mlr_list       *problems = NULL;
    char           *where = NULL;
    (void)state;
    bed_assert_rc(mlr_place_gc(p, NULL, NULL, &report, &err), MLREG_ENOTSUP);
    bed_assert_rc(mlr_place_fsck(p, 0, NULL, &problems, &err), MLREG_ENOTSUP);
    bed_assert_rc(mlr_place_login(p, "name", "secret", NULL, &where, &err), MLREG_ENOTSUP);
    assert_null(problems);
    mlr_place_close(p);
    mlr_runtime_unref(rt);
}

static void test_place__closing_nothing_is_fine(void **state)
{
    (void)state;
    mlr_place_close(NULL);
}

/* ---- a place whose answers are not to be believed ---- */

typedef struct liar {
    mlr_place      place;
    mlr_manifest  *manifest; /* what it gives for any reference */
    const char    *type;
    mlr_list      *referrers;
    int            code;     /* of reading a manifest */
    const char    *blob;     /* what it gives for any blob */
} liar;

static void liar_close(mlr_place *p)
{
    (void)p;
}

static int liar_manifest_read(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type,
                              mlreg_error **err)
{
    liar *l = (liar *)p;
    (void)r;
    (void)op;
    if (l->code < 0)
        return mlr_error_set(err, l->code, "it fails");
    if (l->type != NULL)
        *media_type = mlr_strdup(l->type);
    return l->manifest != NULL ? mlr_buf_add(out, l->manifest->json, l->manifest->json_bytes, err) : 0;
}

static int liar_referrers(mlr_place *p, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_list *out,
                          mlreg_error **err)
{
    const liar *l = (const liar *)p;
    int         rc = 0;
    (void)repo;
    (void)subject;
    (void)op;
    for (size_t i = 0; rc == 0 && i < l->referrers->n; i++)
        rc = mlr_list_add(out, NULL, l->referrers->items[i].descriptor, err);
    return rc;
}

static int liar_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    const liar *l = (const liar *)p;
    (void)b;
    (void)op;
    return mlr_reader_from_memory(l->blob, strlen(l->blob), "a lie", out, err);
}

static const mlr_place_ops liar_ops = { .kind = "liar", .close = liar_close, .manifest_read = liar_manifest_read,
                                        .referrers = liar_referrers, .blob_open = liar_blob_open };

static liar new_liar(void)
{
    liar l = { .place = { .ops = &liar_ops, .name = (char *)"liar" } };
    return l;
}

static void test_place__a_manifest_that_is_not_its_digest_is_refused(void **state)
{
    liar          l = new_liar();
    mlr_manifest *other = bed_image_text("other", "t/u", NULL), *out = NULL;
    mlr_ref       r = { (char *)"x", NULL, other->self.digest };
    (void)state;
    l.manifest = bed_image_text("not that one", "t/u", NULL);
    bed_assert_rc(mlr_place_manifest(&l.place, &r, NULL, &out, &err), MLREG_EDIGEST);
    assert_null(out);
    mlr_manifest_free(l.manifest);
    l.manifest = NULL; /* an empty answer */
    bed_assert_rc(mlr_place_manifest(&l.place, &r, NULL, &out, &err), MLREG_EDIGEST);
    r.digest.text[0] = 0;
    r.tag = (char *)"v1";
    bed_assert_rc(mlr_place_manifest(&l.place, &r, NULL, &out, &err), MLREG_EPROTO);
    mlr_manifest_free(other);
}

static void test_place__a_manifest_under_another_type_is_refused(void **state)
{
    liar          l = new_liar();
    mlr_manifest *out = NULL;
    mlr_ref       r = { (char *)"x", (char *)"v1", { "" } };
    (void)state;
    l.manifest = bed_image_text("an image", "t/u", NULL);
    l.type = MLR_TYPE_INDEX;
    bed_assert_rc(mlr_place_manifest(&l.place, &r, NULL, &out, &err), MLREG_EPROTO);
    mlr_manifest_free(l.manifest);
}

static void test_place__a_blob_that_is_not_its_digest_is_refused(void **state)
{
    liar     l = new_liar();
    mlr_blob b = bed_blob("x", "truth", 5);
    mlr_buf  out = MLR_BUF_INIT(100);
    (void)state;
    l.blob = "TRUTH";
    bed_assert_rc(bed_read(&l.place, &b, &out, &err), MLREG_EDIGEST);
    l.blob = "truth and more";
    bed_assert_rc(bed_read(&l.place, &b, &out, &err), MLREG_EDIGEST);
    l.blob = "tru";
    bed_assert_rc(bed_read(&l.place, &b, &out, &err), MLREG_EDIGEST);
    assert_int_equal(out.len, 0);
    l.blob = "truth";
    bed_assert_rc(bed_read(&l.place, &b, &out, &err), 0);
    assert_string_equal(out.data, "truth");
    mlr_buf_done(&out);
}

static void test_place__referrers_that_cannot_be_read_are_none_but_trouble_is_told(void **state)
{
    static const struct {
        int code, want;
    } cases[] = { { MLREG_ENOTFOUND, 0 }, { MLREG_EPROTO, 0 }, { MLREG_ENOTSUP, 0 }, { MLREG_ENET, MLREG_ENET },
                  { MLREG_EAUTH, MLREG_EAUTH }, { MLREG_EDIGEST, MLREG_EDIGEST },
                  { MLREG_ECANCELLED, MLREG_ECANCELLED } };
    liar          l = new_liar();
    mlr_manifest *subject = bed_image_text("subject", "t/u", NULL), *m = bed_image_text("signature", "t/u", subject);
    (void)state;
    assert_int_equal(mlr_list_new(&l.referrers, NULL), 0);
    assert_int_equal(mlr_list_add(l.referrers, NULL, &m->self, NULL), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mlr_list *list = NULL;
        l.code = cases[i].code;
        bed_assert_rc(mlr_place_referrers(&l.place, "x", &subject->self.digest, NULL, NULL, &list, &err),
                      cases[i].want);
        assert_int_equal(list != NULL ? list->n : 0, 0);
        mlr_list_free(list);
    }
    mlr_list_free(l.referrers);
    mlr_manifest_free(subject);
    mlr_manifest_free(m);
}

static void test_place__of_ten_thousand_referrers_not_one_more_is_read(void **state)
{
    liar          l = new_liar();
    mlr_manifest *subject = bed_image_text("subject", "t/u", NULL);
    (void)state;
    l.code = MLREG_ENOTFOUND;
    assert_int_equal(mlr_list_new(&l.referrers, NULL), 0);
    for (unsigned i = 0; i <= 10000; i++) {
        mlr_descriptor d;
        mlr_digest     digest;
        mlr_list      *list = NULL;
        mlr_digest_of(&i, sizeof(i), &digest);
        assert_int_equal(mlr_descriptor_make("a/b", &digest, 1, &d, NULL), 0);
        assert_int_equal(mlr_list_add(l.referrers, NULL, &d, NULL), 0);
        mlr_descriptor_done(&d);
        if (i >= 9999)
            bed_assert_rc(mlr_place_referrers(&l.place, "x", &subject->self.digest, NULL, NULL, &list, &err),
                          i == 10000 ? MLREG_ELIMIT : 0);
        mlr_list_free(list);
    }
    mlr_list_free(l.referrers);
    mlr_manifest_free(subject);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place__refuses_locations_of_no_kind),
        cmocka_unit_test(test_place__says_what_its_kind_cannot),
        cmocka_unit_test(test_place__closing_nothing_is_fine),
        cmocka_unit_test(test_place__a_manifest_that_is_not_its_digest_is_refused),
        cmocka_unit_test(test_place__a_manifest_under_another_type_is_refused),
        cmocka_unit_test(test_place__a_blob_that_is_not_its_digest_is_refused),
        cmocka_unit_test(test_place__referrers_that_cannot_be_read_are_none_but_trouble_is_told),
        cmocka_unit_test(test_place__of_ten_thousand_referrers_not_one_more_is_read),
    };
    return cmocka_run_group_tests_name("place/place", tests, NULL, NULL);
}
