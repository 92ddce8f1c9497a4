/* tests/model/test_copy.c - copies between places: only what is missing moves, tags move last, failures leave what was there. */
#include "model/copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model_bed.h"

/* Where to; every target is asked the same. */
typedef struct kind { const char *name, *location; } kind;

typedef struct fixture {
    char        *dir;
    mlr_runtime *rt;
    mlr_place   *source, *to;  /* source: memory */
    odd_place   *from;         /* in front of source */
    char         target[64];   /* a repository that is new there */
    char         first[64], second[64];
    bed_layer    files[2];     /* of these contents, which nobody has seen before */
} fixture;

#define CONFIG_BYTES 2         /* "{}" */

static int set_up(void **state)
{
    static const kind memory = { "memory", "memory:" };
    const kind *k = *state != NULL ? *state : &memory;
    fixture *f = calloc(1, sizeof *f);
    char location[512], unique[17];

    f->dir = bed_dir_new();
    snprintf(location, sizeof location, k->location, bed_at(f->dir, "place"));
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &f->rt, NULL), 0);
    f->source = bed_open("memory:", 0, f->rt);
    f->from = odd_place_new(f->source, "the source");
    f->to = bed_open(location, MLREG_OPEN_CREATE, f->rt);
    mlr_random_name(unique); /* registries keep what earlier tests left, some for all repositories */
    snprintf(f->target, sizeof f->target, "copy/%s", unique);
    snprintf(f->first, sizeof f->first, "the first file %s", unique);
    snprintf(f->second, sizeof f->second, "the second %s", unique);
    f->files[0] = (bed_layer){ .title = "a.bin", .data = f->first };
    f->files[1] = (bed_layer){ .title = "b/c.bin", .data = f->second };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    assert_int_equal(f->from->readers, 0);
    mlr_place_close(f->to);
    mlr_place_close(&f->from->place);
    mlr_place_close(f->source);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static size_t bytes_of(const fixture *f)
{
    return strlen(f->first) + strlen(f->second) + CONFIG_BYTES;
}

/* From the source's REPO:tag to the target's, by the rule. */
static int try_copy(fixture *f, const char *tag, const mlr_copy *how, mlr_op *op, mlreg_error **err)
{
    const mlr_copy plain = { 0 };
    mlr_ref r = { (char *)REPO, (char *)tag, { "" } }, as = { f->target, (char *)tag, { "" } };

    return mlr_copy_run(&f->from->place, &r, f->to, &as, how != NULL ? how : &plain, op, NULL, err);
}

static void assert_same_manifest(fixture *f, const mlr_digest *d)
{
    mlr_ref here = { (char *)REPO, NULL, *d }, there = { f->target, NULL, *d };
    mlr_manifest *a = NULL, *b = NULL;

    bed_assert_rc(mlr_place_manifest(f->source, &here, NULL, &a, &err), 0);
    bed_assert_rc(mlr_place_manifest(f->to, &there, NULL, &b, &err), 0);
    assert_int_equal(a->json_bytes, b->json_bytes);
    assert_memory_equal(a->json, b->json, a->json_bytes);
    assert_string_equal(a->self.media_type, b->self.media_type);
    mlr_manifest_free(a);
    mlr_manifest_free(b);
}

static void assert_at(fixture *f, const char *tag, const mlr_digest *d)
{
    mlr_digest now = bed_at_tag(f->to, f->target, tag);

    assert_string_equal(now.text, d != NULL ? d->text : "");
}

/* ---- what moves ---- */

static void test_copy__brings_the_blobs_and_the_exact_manifest(void **state)
{
    fixture *f = *state;
    mlr_digest d = bed_artifact(f->source, REPO, "v1", f->files, 2);
    bed_call c = bed_begin();
    mlreg_stats s;

    bed_assert_rc(try_copy(f, "v1", NULL, c.op, &err), 0);
    s = bed_end(&c);
    assert_at(f, "v1", &d);
    assert_same_manifest(f, &d);
    assert_int_equal(bed_has(f->to, f->target, f->first), 1);
    assert_int_equal(bed_has(f->to, f->target, f->second), 1);
    assert_int_equal(s.blobs_total, 3);
    assert_int_equal(s.blobs_done, 3);
    assert_int_equal(s.bytes_total, bytes_of(f));
    assert_int_equal(s.bytes_done, s.bytes_total);
    /* go-containerregistry keeps one set of blobs for all repositories: there the empty config is another test's */
    assert_true(s.bytes_reused == 0 || s.bytes_reused == strlen("{}"));
}

static void test_copy__moves_nothing_that_is_there(void **state)
{
    fixture *f = *state;
    bed_call c;
    mlreg_stats s;

    bed_artifact(f->source, REPO, "v1", f->files, 2);
    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), 0);
    f->from->opens = 0;
    c = bed_begin();
    bed_assert_rc(try_copy(f, "v1", NULL, c.op, &err), 0);
    s = bed_end(&c);
    assert_int_equal(f->from->opens, 0);
    assert_int_equal(s.bytes_reused, bytes_of(f));
    assert_int_equal(s.bytes_done, s.bytes_total);
    assert_int_equal(s.blobs_done, 3);
}

static void test_copy__moves_what_is_missing_alone(void **state)
{
    fixture *f = *state;
    bed_layer changed[] = { f->files[0], { .title = "b/c.bin", .data = f->target } };
    mlr_digest d;
    bed_call c;
    mlreg_stats s;

    bed_artifact(f->source, REPO, "v1", f->files, 2);
    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), 0);
    d = bed_artifact(f->source, REPO, "v2", changed, 2);
    f->from->opens = 0;
    c = bed_begin();
    bed_assert_rc(try_copy(f, "v2", NULL, c.op, &err), 0);
    s = bed_end(&c);
    assert_int_equal(f->from->opens, 1);
    assert_int_equal(s.bytes_reused, strlen(f->first) + CONFIG_BYTES);
    assert_int_equal(s.bytes_done, s.bytes_total);
    assert_at(f, "v2", &d);
}

static void test_copy__of_one_content_under_two_names_moves_it_once(void **state)
{
    fixture *f = *state;
    bed_layer twice[] = { { .title = "a", .data = f->first }, { .title = "b", .data = f->first } };

    bed_artifact(f->source, REPO, "v1", twice, 2);
    bed_put(f->to, f->target, "{}");
    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), 0);
    assert_int_equal(f->from->opens, 1);
}

static void test_copy__carries_blobs_of_many_slabs(void **state)
{
    fixture *f = *state;
    char *data = bed_many_bytes(5u << 20, 1);
    bed_layer large[] = { { .title = "a", .data = data, .len = 5u << 20 }, { .title = "empty", .data = "" } };
    mlr_digest d = bed_artifact(f->source, REPO, "v1", large, 2);
    bed_call c = bed_begin();
    mlreg_stats s;

    bed_assert_rc(try_copy(f, "v1", NULL, c.op, &err), 0);
    s = bed_end(&c);
    assert_at(f, "v1", &d);
    assert_int_equal(s.bytes_done, (5u << 20) + 2);
    free(data);
}

/* ---- tags ---- */

static void test_copy__leaves_a_tag_that_names_something_else(void **state)
{
    fixture *f = *state;
    mlr_digest old = bed_artifact(f->source, REPO, "v1", f->files, 1), new;
    mlreg_error *why = NULL;

    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), 0);
    new = bed_artifact(f->source, REPO, "v1", f->files, 2);
    f->from->opens = 0;
    assert_int_equal(try_copy(f, "v1", NULL, NULL, &why), MLREG_EEXISTS);
    assert_non_null(strstr(why->message, old.text));
    assert_non_null(strstr(why->message, new.text));
    assert_non_null(why->hint);
    assert_string_equal(why->place, f->to->name);
    assert_int_equal(f->from->opens, 0); /* said before a byte moved */
    assert_int_equal(bed_has(f->to, f->target, f->second), 0);
    assert_at(f, "v1", &old);
    mlr_error_done(why);
}

static void test_copy__moves_a_tag_when_asked_to(void **state)
{
    fixture *f = *state;
    mlr_copy move = { .rule = { .move = true } };
    mlr_digest new;

    bed_artifact(f->source, REPO, "v1", f->files, 1);
    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), 0);
    new = bed_artifact(f->source, REPO, "v1", f->files, 2);
    bed_assert_rc(try_copy(f, "v1", &move, NULL, &err), 0);
    assert_at(f, "v1", &new);
}

static void test_copy__moves_a_tag_only_off_the_digest_that_was_expected(void **state)
{
    fixture *f = *state;
    mlr_digest old = bed_artifact(f->source, REPO, "v1", f->files, 1), new;
    mlr_copy move = { .rule = { true, { "" } } };

    move.rule.expect = old;
    bed_assert_rc(try_copy(f, "v1", &move, NULL, &err), MLREG_ENOTFOUND); /* expected, but there is none */
    assert_at(f, "v1", NULL);
    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), 0);
    new = bed_artifact(f->source, REPO, "v1", f->files, 2);
    move.rule.expect = new;
    mlr_digest_of("another", 7, &move.rule.expect);
    f->from->opens = 0;
    bed_assert_rc(try_copy(f, "v1", &move, NULL, &err), MLREG_EEXISTS);
    assert_int_equal(f->from->opens, 0);
    assert_at(f, "v1", &old);
    move.rule.expect = old;
    bed_assert_rc(try_copy(f, "v1", &move, NULL, &err), 0);
    assert_at(f, "v1", &new);
    bed_assert_rc(try_copy(f, "v1", &move, NULL, &err), 0); /* again: it is where it shall be */
}

static void test_copy__by_digest_makes_no_tag(void **state)
{
    fixture *f = *state;
    mlr_digest d = bed_artifact(f->source, REPO, "v1", f->files, 2);
    mlr_ref r = { (char *)REPO, NULL, d }, as = { f->target, NULL, { "" } };
    mlr_copy plain = { 0 };
    mlr_manifest *m = NULL;

    bed_assert_rc(mlr_copy_run(&f->from->place, &r, f->to, &as, &plain, NULL, &m, &err), 0);
    assert_string_equal(m->self.digest.text, d.text);
    mlr_manifest_free(m);
    assert_same_manifest(f, &d);
    assert_at(f, "v1", NULL);
}

static void test_copy__takes_the_name_that_it_is_given(void **state)
{
    fixture *f = *state;
    mlr_digest d = bed_artifact(f->source, REPO, "v1", f->files, 2);
    mlr_ref r = { (char *)REPO, (char *)"v1", { "" } }, no_tag = { f->target, NULL, { "" } }, other = { f->target, (char *)"other", { "" } };
    mlr_copy plain = { 0 };

    bed_assert_rc(mlr_copy_run(&f->from->place, &r, f->to, &other, &plain, NULL, NULL, &err), 0);
    assert_at(f, "other", &d);
    assert_at(f, "v1", NULL);
    bed_assert_rc(mlr_copy_run(&f->from->place, &r, f->to, &no_tag, &plain, NULL, NULL, &err), 0);
    assert_at(f, "v1", &d);
}

static void test_copy__cannot_give_a_content_the_digest_of_another(void **state)
{
    fixture *f = *state;
    mlr_ref r = { (char *)REPO, (char *)"v1", { "" } }, as = { f->target, (char *)"v1", { "" } };
    mlr_copy plain = { 0 };

    bed_artifact(f->source, REPO, "v1", f->files, 2);
    mlr_digest_of("another", 7, &as.digest);
    bed_assert_rc(mlr_copy_run(&f->from->place, &r, f->to, &as, &plain, NULL, NULL, &err), MLREG_EINVAL);
    assert_int_equal(f->from->opens, 0);
    assert_at(f, "v1", NULL);
}

/* ---- indexes and referrers ---- */

static void test_copy__of_an_index_takes_its_children_along(void **state)
{
    fixture *f = *state;
    bed_layer shared[] = { { .title = "shared", .data = f->first }, { .title = "own", .data = f->second } };
    mlr_manifest *a = bed_manifest(f->source, REPO, shared, 1, NULL), *b = bed_manifest(f->source, REPO, shared, 2, NULL);
    const mlr_manifest *inner_children[] = { a, b };
    mlr_manifest *inner = bed_index(inner_children, 2);
    const mlr_manifest *children[] = { b, inner };
    mlr_manifest *index = bed_index(children, 2);

    bed_assert_rc(bed_try_tag(f->source, REPO, NULL, false, a, &err), 0);
    bed_assert_rc(bed_try_tag(f->source, REPO, NULL, false, b, &err), 0);
    bed_assert_rc(bed_try_tag(f->source, REPO, NULL, false, inner, &err), 0);
    bed_tag(f->source, REPO, "v1", index);
    bed_put(f->to, f->target, "{}");
    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), 0);
    assert_at(f, "v1", &index->self.digest);
    assert_same_manifest(f, &index->self.digest);
    assert_same_manifest(f, &inner->self.digest);
    assert_same_manifest(f, &a->self.digest);
    assert_same_manifest(f, &b->self.digest);
    assert_int_equal(f->from->opens, 2);          /* shared and own, each once */
    assert_int_equal(f->from->manifests_read, 4); /* and so each manifest */
    mlr_manifest_free(index);
    mlr_manifest_free(inner);
    mlr_manifest_free(a);
    mlr_manifest_free(b);
}

static void test_copy__of_indexes_nested_too_deep_ends(void **state)
{
    fixture *f = *state;
    mlr_manifest *m = bed_manifest(f->source, REPO, f->files, 1, NULL);

    bed_assert_rc(bed_try_tag(f->source, REPO, NULL, false, m, &err), 0);
    for (int depth = 0; depth <= 9; depth++) {
        const mlr_manifest *children[] = { m };
        mlr_manifest *index = bed_index(children, 1);

        mlr_manifest_free(m);
        m = index;
        bed_tag(f->source, REPO, depth < 8 ? "deep" : "deeper", m);
    }
    bed_assert_rc(try_copy(f, "deep", NULL, NULL, &err), 0);
    f->from->opens = 0;
    bed_assert_rc(try_copy(f, "deeper", NULL, NULL, &err), MLREG_ELIMIT);
    assert_int_equal(f->from->opens, 0);
    assert_at(f, "deeper", NULL);
    mlr_manifest_free(m);
}

/* Each is kept until the last has come. */
static void test_copy__of_manifests_that_say_too_much_together_ends(void **state)
{
    enum { N = 34, BYTES = 4000000 };
    fixture *f = *state;
    mlr_manifest *all[N], *index;
    char *json = malloc(BYTES + 512);

    bed_put(f->source, REPO, "{}");
    for (int i = 0; i < N; i++) {
        int at = sprintf(json, "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"config\":{\"mediaType\":\"" MLR_TYPE_EMPTY
            "\",\"digest\":\"" BED_EMPTY "\",\"size\":2},\"layers\":[],\"annotations\":{\"k\":\"%02d", i);

        memset(json + at, 'a', BYTES);
        strcpy(json + at + BYTES, "\"}}");
        all[i] = bed_parse(json);
        bed_assert_rc(bed_try_tag(f->source, REPO, NULL, false, all[i], &err), 0);
    }
    index = bed_index((const mlr_manifest *const *)all, N);
    bed_tag(f->source, REPO, "much", index);
    bed_assert_rc(try_copy(f, "much", NULL, NULL, NULL), MLREG_ELIMIT);
    assert_int_equal(f->from->opens, 0);
    assert_at(f, "much", NULL);
    for (int i = 0; i < N; i++)
        mlr_manifest_free(all[i]);
    mlr_manifest_free(index);
    free(json);
}

/* Whether a registry would not have it: its own rules about what manifests may name. */
static bool was_refused(int rc, mlreg_error **why)
{
    bool refused = rc == MLREG_EPROTO && (*why)->http_status == 400;

    if (rc < 0 && !refused)
        fail_msg("%d (%s)", rc, (*why)->message);
    mlr_error_done(*why);
    return refused;
}

static void test_copy__carries_what_an_index_names_and_nobody_knows(void **state)
{
    fixture *f = *state;
    mlr_blob odd = bed_put(f->source, REPO, "no manifest at all");
    char json[512];
    mlreg_error *why = NULL;
    mlr_manifest *index;

    snprintf(json, sizeof json, "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_INDEX "\",\"manifests\":[{\"mediaType\":\"text/x-unknown\",\"digest\":\"%s\",\"size\":%d}]}",
        odd.digest.text, (int)odd.bytes);
    index = bed_parse(json);
    bed_tag(f->source, REPO, "v1", index);
    if (!was_refused(try_copy(f, "v1", NULL, NULL, &why), &why))
        assert_at(f, "v1", &index->self.digest);
    assert_int_equal(bed_has(f->to, f->target, "no manifest at all"), 1);
    mlr_manifest_free(index);
}

static size_t referrers(fixture *f, const mlr_manifest *of)
{
    mlr_list *l = NULL;
    size_t n;

    bed_assert_rc(mlr_place_referrers(f->to, f->target, &of->self.digest, NULL, NULL, &l, &err), 0);
    n = l->n;
    mlr_list_free(l);
    return n;
}

static void test_copy__takes_referrers_along_when_asked_to(void **state)
{
    fixture *f = *state;
    bed_layer sig = { .title = "sig", .data = "a signature" }, sig2 = { .title = "sig", .data = "a countersignature" };
    mlr_manifest *m = bed_manifest(f->source, REPO, f->files, 2, NULL);
    mlr_manifest *signature = bed_manifest(f->source, REPO, &sig, 1, m), *counter = bed_manifest(f->source, REPO, &sig2, 1, signature);
    mlr_copy all = { .referrers = true };

    bed_tag(f->source, REPO, "v1", m);
    bed_assert_rc(bed_try_tag(f->source, REPO, NULL, false, signature, &err), 0);
    bed_assert_rc(bed_try_tag(f->source, REPO, NULL, false, counter, &err), 0);
    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), 0);
    assert_int_equal(referrers(f, m), 0);
    bed_assert_rc(try_copy(f, "v1", &all, NULL, &err), 0);
    assert_int_equal(referrers(f, m), 1);
    assert_int_equal(referrers(f, signature), 1); /* and theirs */
    assert_same_manifest(f, &counter->self.digest);
    mlr_manifest_free(counter);
    mlr_manifest_free(signature);
    mlr_manifest_free(m);
}

/* ---- within one place ---- */

static void test_copy__within_one_place_moves_no_bytes(void **state)
{
    fixture *f = *state;
    bed_call c = bed_begin();
    odd_place *place = odd_place_new(f->to, "one place");
    mlr_ref r = { f->target, (char *)"v1", { "" } }, as = { (char *)"copy/elsewhere", (char *)"v1", { "" } }, tag = { f->target, (char *)"latest", { "" } };
    mlr_copy plain = { 0 };
    mlr_digest d = bed_artifact(f->to, f->target, "v1", f->files, 2);
    mlreg_stats s;

    bed_assert_rc(mlr_copy_run(&place->place, &r, f->to, &tag, &plain, c.op, NULL, &err), 0); /* a second tag */
    assert_at(f, "latest", &d);
    assert_int_equal(place->opens, 0);
    assert_int_equal(place->looks, 0);
    bed_assert_rc(mlr_copy_run(&place->place, &r, f->to, &as, &plain, c.op, NULL, &err), 0); /* another repository: mounted */
    s = bed_end(&c);
    if (f->to->can & MLREG_CAN_MOUNT) {
        assert_int_equal(place->opens, 0);
        assert_int_equal(s.bytes_reused, bytes_of(f));
    }
    assert_int_equal(s.bytes_done, s.bytes_total);
    assert_string_equal(bed_at_tag(f->to, "copy/elsewhere", "v1").text, d.text);
    mlr_place_close(&place->place);
}

/* ---- failures ---- */

static mlr_digest digest_of(const char *text)
{
    mlr_digest d;

    mlr_digest_of(text, strlen(text), &d);
    return d;
}

/* A failed copy left no tag; the blob that made it fail is not there; and it works once the source is sound. */
static void assert_failed_cleanly(fixture *f, const char *bad)
{
    mlr_digest d = bed_at_tag(f->source, REPO, "v1");

    assert_at(f, "v1", NULL);
    assert_int_equal(bed_has(f->to, f->target, bad), 0);
    f->from->lie = f->from->missing = f->from->fails = (mlr_digest){ "" };
    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), 0);
    assert_at(f, "v1", &d);
}

static void test_copy__of_a_blob_that_the_source_has_lost_names_the_source(void **state)
{
    fixture *f = *state;
    mlreg_error *why = NULL;

    bed_artifact(f->source, REPO, "v1", f->files, 2);
    f->from->missing = digest_of(f->second);
    assert_int_equal(try_copy(f, "v1", NULL, NULL, &why), MLREG_ENOTFOUND);
    assert_string_equal(why->place, "the source");
    assert_string_equal(why->subject, f->from->missing.text);
    mlr_error_done(why);
    assert_failed_cleanly(f, f->second);
}

static void test_copy__of_wrong_bytes_is_refused_and_names_the_source(void **state)
{
    fixture *f = *state;
    mlreg_error *why = NULL;

    bed_artifact(f->source, REPO, "v1", f->files, 2);
    f->from->lie = digest_of(f->first);
    assert_int_equal(try_copy(f, "v1", NULL, NULL, &why), MLREG_EDIGEST);
    assert_string_equal(why->place, "the source");
    assert_non_null(strstr(why->message, f->from->lie.text));
    mlr_error_done(why);
    assert_failed_cleanly(f, f->first);
}

static void test_copy__that_breaks_off_names_the_source(void **state)
{
    fixture *f = *state;
    mlreg_error *why = NULL;

    bed_artifact(f->source, REPO, "v1", f->files, 2);
    f->from->fails = digest_of(f->first);
    f->from->code = MLREG_ENET;
    assert_int_equal(try_copy(f, "v1", NULL, NULL, &why), MLREG_ENET); /* and not that the others were cancelled */
    assert_string_equal(why->place, "the source");
    mlr_error_done(why);
    assert_failed_cleanly(f, f->first);
}

static void test_copy__of_a_size_that_lies_is_refused(void **state)
{
    fixture *f = *state;

    bed_artifact(f->source, REPO, "v1", f->files, 2);
    bed_put(f->to, f->target, "{}");
    f->from->real_bytes = strlen(f->first);
    for (int more = -1; more <= 1; more += 2) {
        mlr_manifest *m = bed_manifest(NULL, REPO, f->files, 1, NULL);
        char *json = strdup(m->json), size[32], lie[32], *at;
        mlreg_error *why = NULL;

        snprintf(size, sizeof size, "\"size\":%zu", strlen(f->first));
        snprintf(lie, sizeof lie, "\"size\":%zu", strlen(f->first) + (size_t)more);
        at = strstr(json, size);
        assert_non_null(at);
        memcpy(at, lie, strlen(lie));
        f->from->manifest = json;
        assert_int_equal(try_copy(f, "v1", NULL, NULL, &why), MLREG_EDIGEST);
        assert_string_equal(why->place, "the source");
        mlr_error_done(why);
        mlr_manifest_free(m);
        free(json);
    }
    f->from->manifest = NULL;
    f->from->real_bytes = 0;
    assert_failed_cleanly(f, f->first);
}

static void cancel(void *user)
{
    mlr_remote_cancel(user);
}

static void test_copy__cancelled_leaves_no_tag_and_no_half_file(void **state)
{
    fixture *f = *state;
    char *data = bed_many_bytes(6u << 20, 2);
    bed_layer large[] = { { .title = "a", .data = data, .len = 6u << 20 } };
    mlr_digest d = bed_artifact(f->source, REPO, "v1", large, 1);
    int before = bed_count_files(f->dir);
    bed_call c = bed_begin();
    mlreg_error *why = NULL;

    f->from->on_read = cancel;
    f->from->user = c.remote;
    assert_int_equal(try_copy(f, "v1", NULL, c.op, &why), MLREG_ECANCELLED);
    mlr_error_done(why);
    bed_end(&c);
    f->from->on_read = NULL;
    assert_at(f, "v1", NULL);
    assert_in_range(bed_count_files(f->dir), before, before + 3); /* the empty config, and notes of the session that goes on */
    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), 0);
    assert_at(f, "v1", &d);
    free(data);
}

/* All that it names is brought, or it is not copied: "urls" lead out of the place, and nobody follows them. */
static void test_copy__follows_no_urls(void **state)
{
    fixture *f = *state;
    bed_layer layers[] = { { .title = "here", .data = f->first }, { .title = "there", .data = f->second, .urls = "http://127.0.0.1:9/x" } };
    mlr_manifest *m = bed_manifest(f->source, REPO, layers, 2, NULL);

    bed_tag(f->source, REPO, "v1", m);
    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), MLREG_ENOTFOUND);
    assert_at(f, "v1", NULL);
    mlr_manifest_free(m);
}

static void test_copy__of_what_is_not_there_asks_the_target_nothing(void **state)
{
    fixture *f = *state;
    mlreg_error *why = NULL;

    bed_artifact(f->source, REPO, "v1", f->files, 1);
    assert_int_equal(try_copy(f, "v2", NULL, NULL, &why), MLREG_ENOTFOUND);
    assert_string_equal(why->place, "the source");
    mlr_error_done(why);
}

static void test_copy__into_what_is_read_only_is_refused_at_once(void **state)
{
    fixture *f = *state;

    bed_artifact(f->source, REPO, "v1", f->files, 1);
    f->to->read_only = true;
    bed_assert_rc(try_copy(f, "v1", NULL, NULL, &err), MLREG_EDENIED);
    assert_int_equal(f->from->manifests_read, 0);
    f->to->read_only = false;
}

typedef struct promise { const char *name; CMUnitTestFunction run; bool once; } promise;
#define PROMISE(f) { #f, f, false }
#define ONCE(f)    { #f, f, true }   /* long, and nothing of it depends on where things go */
static const promise promises[] = {
    PROMISE(test_copy__brings_the_blobs_and_the_exact_manifest),
    PROMISE(test_copy__moves_nothing_that_is_there),
    PROMISE(test_copy__moves_what_is_missing_alone),
    PROMISE(test_copy__of_one_content_under_two_names_moves_it_once),
    PROMISE(test_copy__carries_blobs_of_many_slabs),
    PROMISE(test_copy__leaves_a_tag_that_names_something_else),
    PROMISE(test_copy__moves_a_tag_when_asked_to),
    PROMISE(test_copy__moves_a_tag_only_off_the_digest_that_was_expected),
    PROMISE(test_copy__by_digest_makes_no_tag),
    PROMISE(test_copy__takes_the_name_that_it_is_given),
    PROMISE(test_copy__cannot_give_a_content_the_digest_of_another),
    PROMISE(test_copy__of_an_index_takes_its_children_along),
    PROMISE(test_copy__of_indexes_nested_too_deep_ends),
    ONCE(test_copy__of_manifests_that_say_too_much_together_ends),
    PROMISE(test_copy__carries_what_an_index_names_and_nobody_knows),
    PROMISE(test_copy__takes_referrers_along_when_asked_to),
    PROMISE(test_copy__within_one_place_moves_no_bytes),
    PROMISE(test_copy__of_a_blob_that_the_source_has_lost_names_the_source),
    PROMISE(test_copy__of_wrong_bytes_is_refused_and_names_the_source),
    PROMISE(test_copy__that_breaks_off_names_the_source),
    PROMISE(test_copy__of_a_size_that_lies_is_refused),
    PROMISE(test_copy__cancelled_leaves_no_tag_and_no_half_file),
    PROMISE(test_copy__follows_no_urls),
    PROMISE(test_copy__of_what_is_not_there_asks_the_target_nothing),
    PROMISE(test_copy__into_what_is_read_only_is_refused_at_once),
};
#define N_PROMISES (sizeof promises / sizeof *promises)
#define KINDS_MAX 12

/* One kind for each location in MLREG_TEST_REGISTRY, separated by blanks. */
static size_t add_registries(kind *kinds, size_t n)
{
    const char *all = getenv("MLREG_TEST_REGISTRY");
    char *text = strdup(all != NULL ? all : ""), *rest = NULL;

    for (char *one = strtok_r(text, " ", &rest); one != NULL && n < KINDS_MAX; one = strtok_r(NULL, " ", &rest))
        kinds[n++] = (kind){ strdup(one), strdup(one) };
    free(text);
    return n;
}

int main(void)
{
    kind kinds[KINDS_MAX] = { { "memory", "memory:" }, { "layout", "oci:%s" }, { "store", "%s" } };
    size_t n_kinds = add_registries(kinds, 3), n = 0;
    struct CMUnitTest *tests = calloc(n_kinds * N_PROMISES, sizeof *tests);
    int failed;

    for (size_t k = 0; k < n_kinds; k++)
        for (size_t i = 0; i < N_PROMISES; i++) {
            char *name;

            if (promises[i].once && k > 0)
                continue;
            name = malloc(256);
            snprintf(name, 256, "%s: %s", kinds[k].name, promises[i].name);
            tests[n++] = (struct CMUnitTest){ name, promises[i].run, set_up, tear_down, &kinds[k] };
        }
    failed = _cmocka_run_group_tests("model/copy", tests, n, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        free((void *)tests[i].name);
    free(tests);
    for (size_t k = 3; k < n_kinds; k++) {
        free((void *)kinds[k].name);
        free((void *)kinds[k].location);
    }
    return failed;
}
