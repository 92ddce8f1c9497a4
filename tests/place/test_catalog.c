/* place/test_catalog.c - what an index names, directly and through indexes, however deep and however often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bed/artifact.h"
#include "place/catalog.h"

enum { SHELF_MAX = 64 };

/* Manifests by digest, in place of a repository. */
typedef struct shelf {
    mlr_manifest *m[SHELF_MAX];
    size_t        n, reads;
    int           fails; /* what reading gives; 0: the manifest */
} shelf;

static int fetch(void *user, const mlr_descriptor *d, mlr_op *op, mlr_buf *out, mlreg_error **err)
{
    shelf *s = user;
    (void)op;
    s->reads++;
    if (s->fails < 0)
        return mlr_error_set(err, s->fails, "it fails");
    for (size_t i = 0; i < s->n; i++)
        if (mlr_digest_equal(&s->m[i]->self.digest, &d->digest))
            return mlr_buf_add(out, s->m[i]->json, s->m[i]->json_bytes, err);
    return mlr_error_set(err, MLREG_ENOTFOUND, "not on the shelf");
}

static mlr_manifest *shelve(shelf *s, mlr_manifest *m)
{
    assert_true(s->n < SHELF_MAX);
    return s->m[s->n++] = m;
}

static void clear(shelf *s)
{
    for (size_t i = 0; i < s->n; i++)
        mlr_manifest_free(s->m[i]);
    s->n = 0;
}

/* An index around an index around … an image: `depth` of them. */
static mlr_manifest *nest(shelf *s, mlr_manifest *inner, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++) {
        const mlr_manifest *child[] = { inner };
        inner = shelve(s, bed_index(child, 1));
    }
    return inner;
}

typedef struct counts {
    size_t named, broken;
    int    last_code;
} counts;

static int count_named(void *user, const mlr_descriptor *d, const mlr_manifest *by, mlreg_error **err)
{
    (void)d;
    (void)by;
    (void)err;
    ((counts *)user)->named++;
    return 0;
}

static int count_broken(void *user, const mlr_descriptor *d, const mlr_manifest *by, const mlreg_error *why,
                        mlreg_error **err)
{
    counts *c = user;
    (void)d;
    (void)by;
    (void)err;
    c->broken++;
    c->last_code = why->code;
    return 0;
}

static mlr_index *index_of(const mlr_manifest *m)
{
    const mlr_tag_rule rule = { false, { "" } };
    mlr_index         *x = NULL;
    assert_int_equal(mlr_index_new(&x, NULL), 0);
    assert_int_equal(mlr_index_put(x, "v1", &rule, m, NULL), 1);
    return x;
}

static counts walk(shelf *s, const mlr_index *x)
{
    counts         c = { 0 };
    const mlr_walk w = { fetch, s, count_named, count_broken, &c, false };
    bed_assert_rc(mlr_walk_index(&w, x, NULL, &err), 0);
    return c;
}

static void test_walk__names_all_there_is(void **state)
{
    shelf      s = { .n = 0 };
    mlr_index *x = index_of(nest(&s, shelve(&s, bed_image_text("a", "t/u", NULL)), 2));
    counts     c = walk(&s, x);
    (void)state;
    assert_int_equal(c.named, 5); /* two indexes, the manifest, its config, its layer */
    assert_int_equal(c.broken, 0);
    mlr_index_free(x);
    clear(&s);
}

static void test_walk__goes_eight_indexes_deep_and_no_deeper(void **state)
{
    (void)state;
    for (unsigned depth = MLR_WALK_MAX_DEPTH; depth <= MLR_WALK_MAX_DEPTH + 1; depth++) {
        shelf      s = { .n = 0 };
        mlr_index *x = index_of(nest(&s, shelve(&s, bed_image_text("a", "t/u", NULL)), depth));
        counts     c = walk(&s, x);
        assert_int_equal(c.broken, depth > MLR_WALK_MAX_DEPTH);
        if (c.broken > 0)
            assert_int_equal(c.last_code, MLREG_ELIMIT);
        mlr_index_free(x);
        clear(&s);
    }
}

static void test_walk__reads_each_manifest_once(void **state)
{
    shelf               s = { .n = 0 };
    mlr_manifest       *m = shelve(&s, bed_image_text("a", "t/u", NULL));
    const mlr_manifest *children[] = { m, m, m, m };
    mlr_manifest       *index = shelve(&s, bed_index(children, 4));
    mlr_index          *x = index_of(index);
    (void)state;
    walk(&s, x);
    assert_int_equal(s.reads, 2);
    mlr_index_free(x);
    clear(&s);
}

static void test_walk__tells_what_cannot_be_read_and_goes_on(void **state)
{
    shelf               s = { .n = 0 };
    mlr_manifest       *here = shelve(&s, bed_image_text("a", "t/u", NULL)), *gone = bed_image_text("b", "t/u", NULL);
    const mlr_manifest *children[] = { gone, here };
    mlr_index          *x = index_of(shelve(&s, bed_index(children, 2)));
    counts              c = walk(&s, x);
    (void)state;
    assert_int_equal(c.broken, 1);
    assert_int_equal(c.last_code, MLREG_ENOTFOUND);
    assert_int_equal(c.named, 5);
    mlr_index_free(x);
    mlr_manifest_free(gone);
    clear(&s);
}

static void test_walk__ends_where_memory_does(void **state)
{
    shelf          s = { .fails = MLREG_ENOMEM };
    mlr_manifest  *m = bed_image_text("a", "t/u", NULL);
    mlr_index     *x = index_of(m);
    counts         c = { 0 };
    const mlr_walk w = { fetch, &s, count_named, count_broken, &c, false };
    (void)state;
    bed_assert_rc(mlr_walk_index(&w, x, NULL, &err), MLREG_ENOMEM);
    assert_int_equal(c.broken, 0);
    mlr_index_free(x);
    mlr_manifest_free(m);
}

static void test_catalog__finds_children_by_digest_and_reads_only_indexes(void **state)
{
    shelf          s = { .n = 0 };
    mlr_manifest  *image = shelve(&s, bed_image_text("a", "t/u", NULL));
    mlr_catalog    c = { index_of(nest(&s, image, 3)), fetch, &s };
    mlr_ref        r = { (char *)"", NULL, image->self.digest }, layer = { (char *)"", NULL, image->layers[0].digest };
    mlr_descriptor d = { 0 };
    (void)state;
    bed_assert_rc(mlr_catalog_resolve(&c, &r, NULL, &d, &err), 0);
    assert_string_equal(d.digest.text, image->self.digest.text);
    assert_int_equal(s.reads, 3);
    mlr_descriptor_done(&d);
    bed_assert_rc(mlr_catalog_resolve(&c, &layer, NULL, &d, &err), MLREG_ENOTFOUND); /* a layer is no manifest */
    mlr_index_free(c.index);
    clear(&s);
}

static void test_catalog__a_child_goes_with_its_index_only(void **state)
{
    shelf         s = { .n = 0 };
    mlr_manifest *image = shelve(&s, bed_image_text("a", "t/u", NULL)), *index = nest(&s, image, 1);
    mlr_catalog   c = { index_of(index), fetch, &s };
    mlr_ref       child = { (char *)"", NULL, image->self.digest }, parent = { (char *)"", NULL, index->self.digest };
    (void)state;
    bed_assert_rc(mlr_catalog_remove(&c, &child, NULL, &err), MLREG_ENOTSUP);
    bed_assert_rc(mlr_catalog_remove(&c, &parent, NULL, &err), 0);
    bed_assert_rc(mlr_catalog_remove(&c, &child, NULL, &err), MLREG_ENOTFOUND);
    mlr_index_free(c.index);
    clear(&s);
}

typedef struct absent {
    const mlr_digest *digest;
} absent;

static int has_all_but(void *user, const mlr_descriptor *d, mlreg_error **err)
{
    (void)err;
    return !mlr_digest_equal(((absent *)user)->digest, &d->digest);
}

static void test_catalog__is_complete_but_for_subject_and_layers_by_url(void **state)
{
    mlr_manifest *subject = bed_image_text("subject", "t/u", NULL), *m = bed_image_text("a", "t/u", subject), *by_url;
    absent        layer = { &m->layers[0].digest }, config = { &m->config->digest },
        of_subject = { &subject->self.digest };
    (void)state;
    bed_assert_rc(mlr_catalog_complete(m, has_all_but, &layer, &err), MLREG_ENOTFOUND);
    bed_assert_rc(mlr_catalog_complete(m, has_all_but, &config, &err), MLREG_ENOTFOUND);
    bed_assert_rc(mlr_catalog_complete(m, has_all_but, &of_subject, &err), 0);
    by_url = bed_parse("{\"schemaVersion\":2,\"layers\":[{\"mediaType\":\"a/b\",\"digest\":\"" BED_EMPTY "\",\"size\":2,\"urls\":[\"https://x/y\"]}]}");
    layer.digest = &by_url->layers[0].digest;
    bed_assert_rc(mlr_catalog_complete(by_url, has_all_but, &layer, &err), 0);
    mlr_manifest_free(by_url);
    mlr_manifest_free(subject);
    mlr_manifest_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk__names_all_there_is),
        cmocka_unit_test(test_walk__goes_eight_indexes_deep_and_no_deeper),
        cmocka_unit_test(test_walk__reads_each_manifest_once),
        cmocka_unit_test(test_walk__tells_what_cannot_be_read_and_goes_on),
        cmocka_unit_test(test_walk__ends_where_memory_does),
        cmocka_unit_test(test_catalog__finds_children_by_digest_and_reads_only_indexes),
        cmocka_unit_test(test_catalog__a_child_goes_with_its_index_only),
        cmocka_unit_test(test_catalog__is_complete_but_for_subject_and_layers_by_url),
    };
    return cmocka_run_group_tests_name("place/catalog", tests, NULL, NULL);
}
