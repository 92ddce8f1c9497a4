/* tests/place/test_mirrored.c - a registry with a mirror: by many threads, without memory, and without a secret for it. */
#include "place/mirrored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/work.h"
#include "bed/failing_alloc.h"
#include "place/registry_bed.h"

#define SIZE    60000
#define THREADS 8

static void write_conf(const registry_bed *b)
{
    char  path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/registries.conf", b->home);
    setenv("CONTAINERS_REGISTRIES_CONF", path, 1);
    assert_non_null(f = fopen(path, "we"));
    fprintf(f, "[[registry]]\nlocation = '%s'\n[[registry.mirror]]\nlocation = '%s'\n", strstr(b->evil.url, "//") + 2,
            strstr(b->thief.url, "//") + 2);
    fclose(f);
}

/* The thief is the mirror: teardown sees to it that no credential came to him. */
static void bed_mirrored(registry_bed *b, const char *registry, const char *mirror, const char *manifest)
{
    char *coded = base64_of(manifest), *script = NULL;

    bed_thief(b, mirror, coded);
    assert_true(asprintf(&script, registry, coded) > 0);
    for (char *c = script; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    bed_evil_start(&b->evil, script);
    write_conf(b);
    registry_bed_place(b);
    free(script);
    free(coded);
}

#define GOOD "[{'path':'" MANIFESTS ".*','body_base64':'%s'},{'path':'" BLOBS ".*','size':60000}]"

static int teardown(void **state)
{
    unsetenv("CONTAINERS_REGISTRIES_CONF");
    return registry_bed_teardown(state);
}

static mlr_blob the_blob(void)
{
    return (mlr_blob){REPO, digest_of_pattern(SIZE), SIZE, NULL};
}

/* ---- secrets ---- */

/* A callback may give its one token whoever asks. */
static void test_mirrored__the_sessions_callback_is_not_asked_for_mirrors(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a");
    mlr_ref       r = tagged("v1");
    mlr_manifest *got = NULL;

    bed_mirrored(b, "[{'header':{'Authorization':null},'status':401,'headers':{'WWW-Authenticate':'Basic realm=x'}},"
                    "{'path':'" MANIFESTS ".*','body_base64':'%s'}]",
                 "[{'status':401,'headers':{'WWW-Authenticate':'Basic realm=x'}}]", m);
    assert_int_equal(mlr_place_manifest(b->place, &r, NULL, &got, &b->err), 0);
    assert_true(n_requests(&b->thief) > 0);
    assert_int_equal(bed_log_count(&b->evil, SECRET_SENT), 1);
    mlr_manifest_free(got);
    free(m);
}

/* ---- wrong bytes ---- */

static void test_mirrored__wrong_bytes_are_had_from_the_next_and_then_from_nobody(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a");
    mlr_blob      blob = the_blob();
    mlr_reader   *r = NULL;
    char          byte;

    bed_mirrored(b, GOOD, GOOD, m);
    assert_int_equal(mlr_place_blob_wrong(b->place, &blob, NULL), 0);     /* nobody has given any yet */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mlr_place_blob_open(b->place, &blob, NULL, &r, &b->err), 0);
        assert_int_equal(mlr_reader_read_at(r, 0, &byte, 1, NULL, &b->err), 1);
        mlr_reader_free(r);
        assert_int_equal(bed_log_count(&b->evil, blob.digest.text), i);
        assert_int_equal(mlr_place_blob_wrong(b->place, &blob, NULL), i == 0);
    }
    free(m);
}

static void test_mirrored__goes_on_in_the_middle_where_the_mirror_breaks_off(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a"), *bytes = malloc(SIZE);
    mlr_blob      blob = the_blob();
    mlr_reader   *r = NULL;

    bed_mirrored(b, GOOD, "[{'path':'" BLOBS ".*','size':60000,'do':'cut','sent':30000}]", m);
    assert_int_equal(mlr_place_blob_open(b->place, &blob, NULL, &r, &b->err), 0);
    assert_int_equal(mlr_reader_read_at(r, 0, bytes, SIZE, NULL, &b->err), SIZE);
    assert_true(bed_is_pattern(0, bytes, SIZE));
    assert_int_equal(mlr_reader_read_at(r, SIZE, bytes, 1, NULL, &b->err), 0);
    mlr_reader_free(r);
    free(bytes);
    free(m);
}

/* ---- away ---- */

static uint64_t now_ms;

static uint64_t tell_ms(void *user)
{
    (void)user;
    return now_ms;
}

static void test_mirrored__one_that_does_not_answer_is_asked_again_after_a_while(void **state)
{
    static const mlr_clock clock = {.ms = tell_ms};
    registry_bed          *b = *state;
    char                  *m = some_manifest("a");
    mlr_ref                r = tagged("v1");

    bed_mirrored(b, GOOD, "[{'status':503}]", m);
    now_ms = mlr_clock_ms();
    mlr_clock_use(&clock);
    for (int i = 0; i < 4; i++) {
        mlr_manifest *got = NULL;

        assert_int_equal(mlr_place_manifest(b->place, &r, NULL, &got, &b->err), 0);
        assert_int_equal(n_requests(&b->thief), i < 3 ? 1 : 2);
        now_ms += 25000;
        mlr_manifest_free(got);
    }
    mlr_clock_use(NULL);
    free(m);
}

/* ---- many threads ---- */

static int fetch(void *arg, mlr_op *op, mlreg_error **err)
{
    mlr_place    *p = arg;
    mlr_blob      blob = the_blob();
    mlr_ref       ref = tagged("v1");
    mlr_manifest *m = NULL;
    mlr_reader   *r = NULL;
    char         *bytes = malloc(SIZE);
    int           rc = mlr_place_manifest(p, &ref, op, &m, err);

    if (rc == 0 && (rc = mlr_place_blob_open(p, &blob, op, &r, err)) == 0 &&
        (rc = (int)mlr_reader_read_at(r, 0, bytes, SIZE, op, err)) == SIZE)
        rc = bed_is_pattern(0, bytes, SIZE) ? 0 : mlr_error_set(err, MLREG_EDIGEST, "wrong bytes");
    (void)mlr_place_blob_wrong(p, &blob, op);
    mlr_reader_free(r);
    mlr_manifest_free(m);
    free(bytes);
    return rc;
}

static void test_mirrored__serves_many_threads(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a");
    mlr_group    *group = NULL;
    mlr_op       *op = NULL;

    bed_mirrored(b, GOOD, "[{'path':'" MANIFESTS ".*','times':5,'body_base64':'%s'},{'path':'" BLOBS ".*','times':9,'size':60000},"
                    "{'path':'" BLOBS ".*','times':3,'status':404}]", m);
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_group_new(b->rt, op, THREADS, &group, NULL), 0);
    for (int i = 0; i < 4 * THREADS; i++)
        assert_int_equal(mlr_group_add(group, fetch, b->place, NULL), 0);
    if (mlr_group_wait(group, &b->err) != 0)
        fail_msg("%s", b->err->message);
    mlr_group_free(group);
    mlr_op_end(op);
    free(m);
}

/* ---- no memory ---- */

/* Opens a session of its own, for that needs memory as well; asks by a digest that the mirror does not have right. */
static int use_all(registry_bed *b, const mlr_digest *d)
{
    mlr_blob      blob = the_blob();
    mlr_ref       ref = by_digest(d);
    mlr_place    *p = NULL;
    mlr_manifest *m = NULL;
    mlr_reader   *r = NULL;
    char          byte;
    int           rc;

    (void)((rc = mlr_registry_open(b->evil.url, NULL, b->rt, NULL, &p, &b->err)) < 0 ||
           (rc = mlr_place_manifest(p, &ref, NULL, &m, &b->err)) < 0 ||
           (rc = mlr_place_blob_open(p, &blob, NULL, &r, &b->err)) < 0 ||
           (rc = (int)mlr_reader_read_at(r, 0, &byte, 1, NULL, &b->err)) < 0);
    (void)(p != NULL && mlr_place_blob_wrong(p, &blob, NULL));
    mlr_reader_free(r);
    mlr_manifest_free(m);
    mlr_place_close(p);
    return rc < 0 ? rc : 0;
}

static void test_mirrored__fails_cleanly_wherever_memory_is_out(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a");
    mlr_digest    d = digest_of(m);
    failing_alloc f;

    bed_mirrored(b, GOOD, "[{'path':'" MANIFESTS ".*','body':'no manifest'},{'path':'" BLOBS ".*','size':60000}]", m);
    for (int n = 1, fired = 1; fired; n++) {
        int rc;

        failing_alloc_arm(&f, n, false);
        rc = use_all(b, &d);
        fired = failing_alloc_disarm(&f);
        if (rc != 0 && (!fired || rc != MLREG_ENOMEM))
            fail_msg("allocation %d: %d (%s)", n, rc, b->err != NULL ? b->err->message : "");
        registry_bed_forget(b);
    }
    free(m);
}

#define mirrored_test(f) cmocka_unit_test_setup_teardown(f, registry_bed_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        mirrored_test(test_mirrored__the_sessions_callback_is_not_asked_for_mirrors),
        mirrored_test(test_mirrored__wrong_bytes_are_had_from_the_next_and_then_from_nobody),
        mirrored_test(test_mirrored__goes_on_in_the_middle_where_the_mirror_breaks_off),
        mirrored_test(test_mirrored__one_that_does_not_answer_is_asked_again_after_a_while),
        mirrored_test(test_mirrored__serves_many_threads),
        mirrored_test(test_mirrored__fails_cleanly_wherever_memory_is_out),
    };

    return cmocka_run_group_tests_name("mirrored", tests, NULL, NULL);
}
