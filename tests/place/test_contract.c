/* place/test_contract.c - what every place promises, asked of each kind: memory, layout, store, and the registries that
 * MLREG_TEST_REGISTRY names, separated by blanks ("http://127.0.0.1:5000"). Inside with-registries these are all of its
 * registries, those with passwords too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bed/artifact.h"
#include "bed/dir.h"

#define MANY_BYTES (3u << 20) /* several slabs */

typedef struct kind {
    const char *name;
    const char *location;   /* with %s for a fresh directory */
    bool        on_disk;
    bool        one_repo;   /* answers to every name */
    bool        checks_parts; /* refuses a manifest whose blobs are missing */
    bool        sloppy;     /* go-containerregistry: all repositories share their blobs, a deleted manifest keeps its tags */
} kind;

typedef struct fixture {
    const kind  *kind;
    mlr_runtime *rt;
    char        *dir;
    char         location[512];
    mlr_place   *p;
    char         repo[64], other[64];
} fixture;

static int set_up(void **state)
{
    const kind *k = *state;
    fixture    *f = calloc(1, sizeof(*f));
    char        unique[17];

    f->kind = k;
    f->dir = bed_dir_new();
    snprintf(f->location, sizeof(f->location), k->location, bed_at(f->dir, "place"));
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &f->rt, NULL), 0);
    f->p = bed_open(f->location, MLREG_OPEN_CREATE, f->rt);
    mlr_random_name(unique); /* registries keep what earlier tests left */
    snprintf(f->repo, sizeof(f->repo), "contract/%s/a", unique);
    snprintf(f->other, sizeof(f->other), "contract/%s/b", unique);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    mlr_place_close(f->p);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

/* ---- blobs ---- */

static void test_blob__comes_back_as_it_went_in(void **state)
{
    fixture *f = *state;
    mlr_blob b = bed_put(f->p, f->repo, "some bytes");
    mlr_buf  back = MLR_BUF_INIT(100);
    assert_int_equal(mlr_place_blob_has(f->p, &b, NULL, NULL), 1);
    bed_assert_rc(bed_read(f->p, &b, &back, &err), 0);
    assert_string_equal(back.data, "some bytes");
    mlr_buf_done(&back);
}

static void test_blob__that_is_not_there_is_not_found(void **state)
{
    fixture    *f = *state;
    mlr_blob    b = bed_blob(f->repo, "never written", 13);
    mlr_reader *r = NULL;
    bed_put(f->p, f->repo, "but the repository is there");
    assert_int_equal(mlr_place_blob_has(f->p, &b, NULL, NULL), 0);
    bed_assert_rc(mlr_place_blob_open(f->p, &b, NULL, &r, &err), MLREG_ENOTFOUND);
    assert_null(r);
}

static void test_blob__of_no_bytes_is_a_blob(void **state)
{
    fixture *f = *state;
    mlr_blob b = bed_put(f->p, f->repo, "");
    mlr_buf  back = MLR_BUF_INIT(100);
    assert_int_equal(mlr_place_blob_has(f->p, &b, NULL, NULL), 1);
    bed_assert_rc(bed_read(f->p, &b, &back, &err), 0);
    assert_int_equal(back.len, 0);
    mlr_buf_done(&back);
}

static char *many_bytes(void)
{
    char    *data = malloc(MANY_BYTES);
    uint32_t x = 12345;
    assert_non_null(data);
    for (size_t i = 0; i < MANY_BYTES; i++) {
        x = x * 1103515245 + 12345;
        data[i] = (char)(x >> 16);
    }
    return data;
}

static void test_blob__of_many_slabs_is_read_at_any_offset(void **state)
{
    fixture    *f = *state;
    char       *data = many_bytes(), piece[1000];
    mlr_blob    b = bed_blob(f->repo, data, MANY_BYTES);
    mlr_reader *r = NULL;
    bed_assert_rc(bed_try_put(f->p, &b, data, MANY_BYTES, &err), 0);
    bed_assert_rc(mlr_place_blob_open(f->p, &b, NULL, &r, &err), 0);
    assert_int_equal(r->bytes, MANY_BYTES);
    for (uint64_t at = 0; at < MANY_BYTES; at += 777777) {
        assert_int_equal(mlr_reader_read_at(r, at, piece, sizeof(piece), NULL, NULL), sizeof(piece));
        assert_memory_equal(piece, data + at, sizeof(piece));
    }
    assert_int_equal(mlr_reader_read_at(r, MANY_BYTES - 10, piece, sizeof(piece), NULL, NULL), 10);
    assert_int_equal(mlr_reader_read_at(r, MANY_BYTES, piece, sizeof(piece), NULL, NULL), 0);
    mlr_reader_free(r);
    free(data);
}

static void test_blob__with_the_wrong_digest_is_refused_and_nothing_stays(void **state)
{
    fixture *f = *state;
    mlr_blob b = bed_blob(f->repo, "right", 5), wrong = bed_blob(f->repo, "wrong", 5);
    bed_assert_rc(bed_try_put(f->p, &b, "wrong", 5, &err), MLREG_EDIGEST);
    assert_int_equal(mlr_place_blob_has(f->p, &b, NULL, NULL), 0);
    assert_int_equal(mlr_place_blob_has(f->p, &wrong, NULL, NULL), 0);
}

static void test_blob__with_the_wrong_size_is_refused(void **state)
{
    fixture *f = *state;
    mlr_blob b = bed_blob(f->repo, "right", 5);
    b.bytes = 6;
    bed_assert_rc(bed_try_put(f->p, &b, "right", 5, &err), MLREG_EDIGEST);
    b.bytes = 5;
    assert_int_equal(mlr_place_blob_has(f->p, &b, NULL, NULL), 0);
}

static void test_blob__that_is_named_with_another_size_is_not_the_blob(void **state)
{
    fixture    *f = *state;
    mlr_blob    b = bed_put(f->p, f->repo, "five+");
    mlr_reader *r = NULL;
    b.bytes = 4;
    assert_int_not_equal(mlr_place_blob_open(f->p, &b, NULL, &r, NULL), 0);
    assert_null(r);
}

static void test_blob__put_twice_is_there_once(void **state)
{
    fixture *f = *state;
    bed_put(f->p, f->repo, "twice");
    bed_put(f->p, f->repo, "twice");
    assert_int_equal(bed_has(f->p, f->repo, "twice"), 1);
}

static void test_blob__is_taken_without_knowing_its_digest(void **state)
{
    fixture    *f = *state;
    mlr_reader *r = NULL;
    mlr_digest  got, want;
    assert_int_equal(mlr_reader_from_memory("unknown", 7, "test bytes", &r, NULL), 0);
    bed_assert_rc(mlr_place_blob_take(f->p, f->repo, r, NULL, NULL, &got, &err), 0);
    mlr_reader_free(r);
    mlr_digest_of("unknown", 7, &want);
    assert_string_equal(got.text, want.text);
    assert_int_equal(bed_has(f->p, f->repo, "unknown"), 1);
}

static void test_blob__over_the_limit_is_not_brought_into_memory(void **state)
{
    fixture *f = *state;
    mlr_blob b = bed_put(f->p, f->repo, "0123456789");
    mlr_buf  back = MLR_BUF_INIT(100);
    bed_assert_rc(mlr_place_blob_bytes(f->p, &b, 10, NULL, &back, &err), 0);
    mlr_buf_clear(&back);
    bed_assert_rc(mlr_place_blob_bytes(f->p, &b, 9, NULL, &back, &err), MLREG_ELIMIT);
    mlr_buf_done(&back);
}

static void test_blob__is_mounted_from_another_repository(void **state)
{
    fixture *f = *state;
    mlr_manifest *m;
    mlr_blob      b;
    int           rc;
    m = bed_image(f->p, f->repo, "shared", NULL);
    bed_tag(f->p, f->repo, "v1", m);
    mlr_manifest_free(m);
    b = bed_blob(f->other, "shared", 6);
    assert_int_equal(mlr_place_blob_has(f->p, &b, NULL, NULL), 0);
    rc = mlr_place_mount(f->p, &b, f->repo, NULL, NULL);
    assert_true(rc == 0 || rc == 1);
    if (f->kind->on_disk)
        assert_int_equal(rc, 1);
    assert_int_equal(mlr_place_blob_has(f->p, &b, NULL, NULL), rc);
    b = bed_blob(f->other, "nowhere", 7);
    assert_int_equal(mlr_place_mount(f->p, &b, f->repo, NULL, NULL), 0);
}

/* ---- manifests and tags ---- */

static mlr_ref at_tag(const fixture *f, const char *tag)
{
    return (mlr_ref){ (char *)f->repo, (char *)tag, { "" } };
}

static mlr_ref at_digest(const fixture *f, const mlr_manifest *m)
{
    return (mlr_ref){ (char *)f->repo, NULL, m->self.digest };
}

static void assert_same(fixture *f, const mlr_ref *r, const mlr_manifest *m)
{
    mlr_manifest  *back = NULL;
    mlr_descriptor d = { 0 };
    bed_assert_rc(mlr_place_manifest(f->p, r, NULL, &back, &err), 0);
    assert_int_equal(back->json_bytes, m->json_bytes);
    assert_memory_equal(back->json, m->json, m->json_bytes);
    assert_string_equal(back->self.media_type, m->self.media_type);
    mlr_manifest_free(back);
    bed_assert_rc(mlr_place_resolve(f->p, r, NULL, &d, &err), 0);
    assert_string_equal(d.digest.text, m->self.digest.text);
    assert_string_equal(d.media_type, m->self.media_type);
    assert_int_equal(d.bytes, m->self.bytes);
    mlr_descriptor_done(&d);
}

static void test_manifest__comes_back_exactly_by_tag_and_digest(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "layer", NULL);
    mlr_ref       tag = at_tag(f, "v1"), digest = at_digest(f, m), both = at_tag(f, "other");
    bed_tag(f->p, f->repo, "v1", m);
    assert_same(f, &tag, m);
    assert_same(f, &digest, m);
    both.digest = m->self.digest; /* the digest decides */
    assert_same(f, &both, m);
    mlr_manifest_free(m);
}

static void test_manifest__by_digest_alone_has_no_tag(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "untagged", NULL), *n = bed_image(f->p, f->repo, "tagged", NULL);
    mlr_ref       digest = at_digest(f, m);
    mlr_list     *tags = NULL;
    bed_assert_rc(bed_try_tag(f->p, f->repo, NULL, false, m, &err), 0);
    bed_tag(f->p, f->repo, "v1", n);
    assert_same(f, &digest, m);
    bed_assert_rc(mlr_place_tags(f->p, f->repo, NULL, &tags, &err), 0);
    assert_int_equal(tags->n, 1);
    mlr_list_free(tags);
    mlr_manifest_free(m);
    mlr_manifest_free(n);
}

static void test_manifest__of_an_index_keeps_its_children(void **state)
{
    fixture            *f = *state;
    mlr_manifest       *a = bed_image(f->p, f->repo, "amd64", NULL), *b = bed_image(f->p, f->repo, "arm64", NULL);
    const mlr_manifest *children[] = { a, b };
    mlr_manifest       *index = bed_index(children, 2);
    mlr_ref             tag = at_tag(f, "v1"), child = at_digest(f, b);
    bed_assert_rc(bed_try_tag(f->p, f->repo, NULL, false, a, &err), 0);
    bed_assert_rc(bed_try_tag(f->p, f->repo, NULL, false, b, &err), 0);
    bed_tag(f->p, f->repo, "v1", index);
    assert_same(f, &tag, index);
    assert_same(f, &child, b);
    mlr_manifest_free(a);
    mlr_manifest_free(b);
    mlr_manifest_free(index);
}

static void test_manifest__that_is_not_there_is_not_found(void **state)
{
    fixture       *f = *state;
    mlr_manifest  *m = bed_image(f->p, f->repo, "layer", NULL), *never = bed_image_text("never", "t/u", NULL),
        *out = NULL;
    mlr_ref        tag = at_tag(f, "v2"), digest = at_digest(f, never),
        nowhere = { (char *)"contract/no-such/repository", (char *)"v1", { "" } };
    mlr_descriptor d = { 0 };
    mlr_list      *tags = NULL;
    bed_tag(f->p, f->repo, "v1", m);
    bed_assert_rc(mlr_place_resolve(f->p, &tag, NULL, &d, &err), MLREG_ENOTFOUND);
    bed_assert_rc(mlr_place_manifest(f->p, &tag, NULL, &out, &err), MLREG_ENOTFOUND);
    bed_assert_rc(mlr_place_manifest(f->p, &digest, NULL, &out, &err), MLREG_ENOTFOUND);
    if (!f->kind->one_repo) {
        bed_assert_rc(mlr_place_resolve(f->p, &nowhere, NULL, &d, &err), MLREG_ENOTFOUND);
        bed_assert_rc(mlr_place_tags(f->p, nowhere.repo, NULL, &tags, &err), MLREG_ENOTFOUND);
    }
    mlr_manifest_free(m);
    mlr_manifest_free(never);
}

static void test_manifest__whose_blobs_are_missing_is_refused(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image_text("a layer that never came", "t/u", NULL);
    bed_put(f->p, f->repo, "{}");
    bed_assert_rc(bed_try_tag(f->p, f->repo, "v1", true, m, &err), MLREG_ENOTFOUND);
    assert_string_equal(bed_at_tag(f->p, f->repo, "v1").text, "");
    mlr_manifest_free(m);
}

static void test_manifest__under_a_digest_that_is_not_its_own_is_refused(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "layer", NULL);
    mlr_ref       r = at_tag(f, NULL);
    mlr_digest_of("x", 1, &r.digest);
    bed_assert_rc(mlr_place_manifest_write(f->p, &r, NULL, m, NULL, &err), MLREG_EINVAL);
    mlr_manifest_free(m);
}

static void test_tag__stays_where_it_is_unless_it_may_move(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "old", NULL), *n = bed_image(f->p, f->repo, "new", NULL);
    mlreg_error  *why = NULL;
    bed_assert_rc(bed_try_tag(f->p, f->repo, "v1", false, m, &err), 0);
    bed_assert_rc(bed_try_tag(f->p, f->repo, "v1", false, m, &err), 0);
    assert_int_equal(bed_try_tag(f->p, f->repo, "v1", false, n, &why), MLREG_EEXISTS);
    assert_non_null(strstr(why->message, m->self.digest.text));
    assert_non_null(strstr(why->message, n->self.digest.text));
    assert_non_null(why->hint);
    assert_string_equal(bed_at_tag(f->p, f->repo, "v1").text, m->self.digest.text);
    bed_assert_rc(bed_try_tag(f->p, f->repo, "v1", true, n, &err), 0);
    assert_string_equal(bed_at_tag(f->p, f->repo, "v1").text, n->self.digest.text);
    mlr_error_done(why);
    mlr_manifest_free(m);
    mlr_manifest_free(n);
}

static void test_tag__moves_only_off_the_digest_that_was_expected(void **state)
{
    fixture           *f = *state;
    mlr_manifest      *m = bed_image(f->p, f->repo, "old", NULL), *n = bed_image(f->p, f->repo, "new", NULL);
    const mlr_ref      r = at_tag(f, "v1");
    const mlr_tag_rule off_new = { true, n->self.digest }, off_old = { true, m->self.digest };
    bed_tag(f->p, f->repo, "v1", m);
    bed_assert_rc(mlr_place_manifest_write(f->p, &r, &off_new, n, NULL, &err), MLREG_EEXISTS);
    assert_string_equal(bed_at_tag(f->p, f->repo, "v1").text, m->self.digest.text);
    bed_assert_rc(mlr_place_manifest_write(f->p, &r, &off_old, n, NULL, &err), 0);
    assert_string_equal(bed_at_tag(f->p, f->repo, "v1").text, n->self.digest.text);
    mlr_manifest_free(m);
    mlr_manifest_free(n);
}

static void test_tags__are_listed_in_order(void **state)
{
    static const char *const names[] = { "v2", "V1", "latest", "v10", "_x" };
    static const char *const sorted[] = { "V1", "_x", "latest", "v10", "v2" };
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "layer", NULL);
    mlr_list     *tags = NULL;
    for (size_t i = 0; i < 5; i++)
        bed_tag(f->p, f->repo, names[i], m);
    bed_assert_rc(mlr_place_tags(f->p, f->repo, NULL, &tags, &err), 0);
    assert_int_equal(tags->n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(tags->items[i].name, sorted[i]);
    mlr_list_free(tags);
    mlr_manifest_free(m);
}

static bool lists(const mlr_list *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->items[i].name, name) == 0)
            return true;
    return false;
}

static void test_repositories__are_those_that_hold_an_artifact(void **state)
{
    fixture      *f = *state;
    mlr_list     *repos = NULL;
    mlr_manifest *m = bed_image(f->p, f->repo, "layer", NULL);
    bed_put(f->p, f->other, "only a blob");
    bed_tag(f->p, f->repo, "v1", m);
    bed_assert_rc(mlr_place_repositories(f->p, NULL, &repos, &err), 0);
    assert_true(lists(repos, f->kind->one_repo ? "" : f->repo));
    if (f->kind->on_disk)
        assert_false(lists(repos, f->other));
    mlr_list_free(repos);
    mlr_manifest_free(m);
}

/* A registry that forbids it says so, and the place learns. */
static bool forbids(fixture *f, int rc)
{
    if (rc != MLREG_ENOTSUP || f->kind->on_disk)
        return false;
    return true;
}

static void test_remove__of_a_tag_leaves_the_others(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "one", NULL), *n = bed_image(f->p, f->repo, "two", NULL);
    mlr_ref       r = at_tag(f, "gone");
    mlreg_error  *why = NULL;
    int           rc;
    bed_tag(f->p, f->repo, "stays", m);
    bed_tag(f->p, f->repo, "gone", n);
    rc = mlr_place_remove(f->p, &r, NULL, &why);
    mlr_error_done(why);
    if (!forbids(f, rc)) {
        assert_int_equal(rc, 0);
        assert_string_equal(bed_at_tag(f->p, f->repo, "gone").text, "");
        bed_assert_rc(mlr_place_remove(f->p, &r, NULL, &err), MLREG_ENOTFOUND);
    }
    assert_string_equal(bed_at_tag(f->p, f->repo, "stays").text, m->self.digest.text);
    mlr_manifest_free(m);
    mlr_manifest_free(n);
}

static void test_remove__by_digest_takes_its_tags_along(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "one", NULL), *n = bed_image(f->p, f->repo, "two", NULL);
    mlr_ref       r = at_digest(f, m);
    mlreg_error  *why = NULL;
    int           rc;
    bed_tag(f->p, f->repo, "a", m);
    bed_tag(f->p, f->repo, "b", m);
    bed_tag(f->p, f->repo, "c", n);
    rc = mlr_place_remove(f->p, &r, NULL, &why);
    mlr_error_done(why);
    if (!forbids(f, rc)) {
        assert_int_equal(rc, 0);
        assert_string_equal(bed_at_tag(f->p, f->repo, "a").text, "");
        assert_string_equal(bed_at_tag(f->p, f->repo, "b").text, "");
        bed_assert_rc(mlr_place_remove(f->p, &r, NULL, &err), MLREG_ENOTFOUND);
    }
    assert_string_equal(bed_at_tag(f->p, f->repo, "c").text, n->self.digest.text);
    mlr_manifest_free(m);
    mlr_manifest_free(n);
}

/* ---- referrers ---- */

static void test_referrers__are_those_whose_subject_it_is(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "subject", NULL), *n = bed_image(f->p, f->repo, "other", NULL);
    mlr_manifest *one = bed_image(f->p, f->repo, "signature", m), *two = bed_image(f->p, f->repo, "of the other", n);
    mlr_manifest *typed;
    mlr_list     *list = NULL;
    bed_put(f->p, f->repo, "scan");
    typed = bed_image_text("scan", "test/scan", m);
    bed_tag(f->p, f->repo, "v1", m);
    bed_tag(f->p, f->repo, "v2", n);
    bed_assert_rc(mlr_place_referrers(f->p, f->repo, &m->self.digest, NULL, NULL, &list, &err), 0);
    assert_int_equal(list->n, 0);
    mlr_list_free(list);
    bed_assert_rc(bed_try_tag(f->p, f->repo, NULL, false, one, &err), 0);
    bed_assert_rc(bed_try_tag(f->p, f->repo, NULL, false, two, &err), 0);
    bed_assert_rc(bed_try_tag(f->p, f->repo, NULL, false, typed, &err), 0);
    bed_assert_rc(mlr_place_referrers(f->p, f->repo, &m->self.digest, NULL, NULL, &list, &err), 0);
    assert_int_equal(list->n, 2);
    mlr_list_free(list);
    bed_assert_rc(mlr_place_referrers(f->p, f->repo, &m->self.digest, "test/scan", NULL, &list, &err), 0);
    assert_int_equal(list->n, 1);
    assert_string_equal(list->items[0].descriptor->digest.text, typed->self.digest.text);
    assert_string_equal(list->items[0].descriptor->artifact_type, "test/scan");
    mlr_list_free(list);
    mlr_manifest_free(m);
    mlr_manifest_free(n);
    mlr_manifest_free(one);
    mlr_manifest_free(two);
    mlr_manifest_free(typed);
}

/* One that mentions the digest elsewhere, and the fallback tag on the subject itself, as GitLab has it (THREATS.md
 * F3). */
static void test_referrers__that_lie_are_left_out(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "subject", NULL), *liar;
    mlr_list     *list = NULL;
    char          json[1024], fallback[128];
    bed_put(f->p, f->repo, "{}");
    bed_tag(f->p, f->repo, "v1", m);
    snprintf(json, sizeof(json),
             "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"artifactType\":\"t/u\",\"config\":{\"mediaType\":\"" MLR_TYPE_EMPTY
             "\",\"digest\":\"" BED_EMPTY "\",\"size\":2},\"layers\":[{\"mediaType\":\"" MLR_TYPE_EMPTY "\",\"digest\":\"" BED_EMPTY
             "\",\"size\":2}],\"annotations\":{\"subject\":\"%s\"}}",
             m->self.digest.text);
    liar = bed_parse(json);
    bed_assert_rc(bed_try_tag(f->p, f->repo, NULL, false, liar, &err), 0);
    snprintf(fallback, sizeof(fallback), "sha256-%s", mlr_digest_hex(&m->self.digest));
    bed_tag(f->p, f->repo, fallback, m);
    mlreg_error *why = NULL;
    int          rc = mlr_place_referrers(f->p, f->repo, &m->self.digest, NULL, NULL, &list, &why);
    if (rc == 0)
        assert_int_equal(list->n, 0);
    else
        assert_false(f->kind->on_disk); /* a fallback tag that is no index is an error at a registry */
    mlr_error_done(why);
    mlr_list_free(list);
    mlr_manifest_free(m);
    mlr_manifest_free(liar);
}

/* ---- all of it ---- */

static void test_place__opened_to_be_read_only_changes_nothing(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "layer", NULL);
    mlr_ref       tag = at_tag(f, "v1");
    mlr_place    *p = bed_open(f->location, MLREG_OPEN_READONLY, f->rt);
    mlr_blob      b = bed_blob(f->repo, "more", 4);
    mlr_digest    d;
    mlr_reader   *r = NULL;
    bed_tag(f->p, f->repo, "v1", m);
    bed_assert_rc(bed_try_put(p, &b, "more", 4, &err), MLREG_EDENIED);
    bed_assert_rc(bed_try_tag(p, f->repo, "v2", true, m, &err), MLREG_EDENIED);
    bed_assert_rc(mlr_place_remove(p, &tag, NULL, &err), MLREG_EDENIED);
    bed_assert_rc(mlr_place_mount(p, &b, f->other, NULL, &err), MLREG_EDENIED);
    assert_int_equal(mlr_reader_from_memory("x", 1, "x", &r, NULL), 0);
    bed_assert_rc(mlr_place_blob_take(p, f->repo, r, NULL, NULL, &d, &err), MLREG_EDENIED);
    mlr_reader_free(r);
    mlr_place_close(p);
    assert_string_equal(bed_at_tag(f->p, f->repo, "v1").text, m->self.digest.text);
    assert_string_equal(bed_at_tag(f->p, f->repo, "v2").text, "");
    mlr_manifest_free(m);
}

static void test_place__says_where_and_about_what_an_error_is(void **state)
{
    fixture       *f = *state;
    mlr_ref        r = at_tag(f, "v9");
    mlr_descriptor d = { 0 };
    mlreg_error   *why = NULL;
    assert_int_equal(mlr_place_resolve(f->p, &r, NULL, &d, &why), MLREG_ENOTFOUND);
    assert_string_equal(why->place, f->p->name);
    assert_non_null(strstr(why->subject, "v9"));
    mlr_error_done(why);
}

static void test_place__refuses_names_that_are_none(void **state)
{
    static const char *const repos[] = { "../x", "a//b", "A", ".mlreg", "x/.mlreg/y", "/etc", "a\\b" };
    fixture                 *f = *state;
    mlr_descriptor           d = { 0 };
    mlr_list                *l = NULL;
    for (size_t i = 0; i < sizeof(repos) / sizeof(repos[0]); i++) {
        mlr_ref  r = { (char *)repos[i], (char *)"v1", { "" } };
        mlr_blob b = bed_blob(repos[i], "x", 1);
        bed_assert_rc(mlr_place_resolve(f->p, &r, NULL, &d, &err), MLREG_EINVAL);
        bed_assert_rc(mlr_place_tags(f->p, repos[i], NULL, &l, &err), MLREG_EINVAL);
        bed_assert_rc(mlr_place_blob_has(f->p, &b, NULL, &err), MLREG_EINVAL);
        bed_assert_rc(bed_try_put(f->p, &b, "x", 1, &err), MLREG_EINVAL);
    }
    mlr_ref tagless = at_tag(f, NULL), bad = at_tag(f, "../v1");
    bed_assert_rc(mlr_place_resolve(f->p, &tagless, NULL, &d, &err), MLREG_EINVAL);
    bed_assert_rc(mlr_place_resolve(f->p, &bad, NULL, &d, &err), MLREG_EINVAL);
}

static void test_place__is_itself_to_another_session(void **state)
{
    fixture   *f = *state;
    mlr_place *p = bed_open(f->location, 0, f->rt);
    assert_int_equal(p->identity == f->p->identity, strcmp(f->kind->name, "memory") != 0);
    mlr_place_close(p);
}

/* ---- every kind by every test ---- */

static bool any(const kind *k)
{
    return k != NULL;
}

static bool with_many_repos(const kind *k)
{
    return !k->one_repo && !k->sloppy;
}

static bool that_delete_tags_along(const kind *k)
{
    return !k->sloppy;
}

static bool that_check_parts(const kind *k)
{
    return k->checks_parts;
}

static const struct promise {
    const char        *name;
    CMUnitTestFunction run;
    bool (*by)(const kind *k);
} promises[] = {
#define PROMISE(f) { #f, f, any }
#define PROMISE_BY(by, f) { #f, f, by }
    PROMISE(test_blob__comes_back_as_it_went_in),
    PROMISE(test_blob__that_is_not_there_is_not_found),
    PROMISE(test_blob__of_no_bytes_is_a_blob),
    PROMISE(test_blob__of_many_slabs_is_read_at_any_offset),
    PROMISE(test_blob__with_the_wrong_digest_is_refused_and_nothing_stays),
    PROMISE(test_blob__with_the_wrong_size_is_refused),
    PROMISE(test_blob__that_is_named_with_another_size_is_not_the_blob),
    PROMISE(test_blob__put_twice_is_there_once),
    PROMISE(test_blob__is_taken_without_knowing_its_digest),
    PROMISE(test_blob__over_the_limit_is_not_brought_into_memory),
    PROMISE_BY(with_many_repos, test_blob__is_mounted_from_another_repository),
    PROMISE(test_manifest__comes_back_exactly_by_tag_and_digest),
    PROMISE(test_manifest__by_digest_alone_has_no_tag),
    PROMISE(test_manifest__of_an_index_keeps_its_children),
    PROMISE(test_manifest__that_is_not_there_is_not_found),
    PROMISE_BY(that_check_parts, test_manifest__whose_blobs_are_missing_is_refused),
    PROMISE(test_manifest__under_a_digest_that_is_not_its_own_is_refused),
    PROMISE(test_tag__stays_where_it_is_unless_it_may_move),
    PROMISE(test_tag__moves_only_off_the_digest_that_was_expected),
    PROMISE(test_tags__are_listed_in_order),
    PROMISE(test_repositories__are_those_that_hold_an_artifact),
    PROMISE(test_remove__of_a_tag_leaves_the_others),
    PROMISE_BY(that_delete_tags_along, test_remove__by_digest_takes_its_tags_along),
    PROMISE(test_referrers__are_those_whose_subject_it_is),
    PROMISE(test_referrers__that_lie_are_left_out),
    PROMISE(test_place__opened_to_be_read_only_changes_nothing),
    PROMISE(test_place__says_where_and_about_what_an_error_is),
    PROMISE(test_place__refuses_names_that_are_none),
    PROMISE(test_place__is_itself_to_another_session),
};
#define N_PROMISES (sizeof(promises) / sizeof(promises[0]))
#define KINDS_MAX  16

/* As with-registries leaves them. */
static const char *registries(void)
{
    const char *all = getenv("MLREG_TEST_REGISTRY_ALL"), *config = getenv("MLREG_TEST_DOCKER_CONFIG");
    if (all == NULL || config == NULL)
        return getenv("MLREG_TEST_REGISTRY");
    setenv("DOCKER_CONFIG", config, 1);
    return all;
}

static size_t add_registries(kind *kinds, size_t n)
{
    const char *from_env = registries(), *go = getenv("MLREG_TEST_REGISTRY_GO");
    char       *list = strdup(from_env != NULL ? from_env : ""), *rest = NULL;

    for (char *one = strtok_r(list, " ", &rest); one != NULL && n < KINDS_MAX; one = strtok_r(NULL, " ", &rest))
        kinds[n++] = (kind){ strdup(one), strdup(one), false, false, false, go != NULL && strcmp(one, go) == 0 };
    free(list);
    return n;
}

int main(void)
{
    kind kinds[KINDS_MAX] = { { "memory", "memory:", true, false, true, false },
                              { "layout", "oci:%s", true, true, true, false },
                              { "store", "%s", true, false, true, false } };
    size_t             n_kinds = add_registries(kinds, 3), n = 0;
    struct CMUnitTest *tests = calloc(n_kinds * N_PROMISES, sizeof(*tests));
    int                failed;

    for (size_t k = 0; k < n_kinds; k++)
        for (size_t i = 0; i < N_PROMISES; i++) {
            char *name = promises[i].by(&kinds[k]) ? malloc(256) : NULL;
            if (name == NULL)
                continue;
            snprintf(name, 256, "%s: %s", kinds[k].name, promises[i].name);
            tests[n++] = (struct CMUnitTest){ name, promises[i].run, set_up, tear_down, &kinds[k] };
        }
    failed = _cmocka_run_group_tests("place/contract", tests, n, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        free((void *)tests[i].name);
    free(tests);
    for (size_t k = 3; k < n_kinds; k++) {
        free((void *)kinds[k].name);
        free((void *)kinds[k].location);
    }
    return failed;
}
