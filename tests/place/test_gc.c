/* place/test_gc.c - gc takes what nothing names and nobody has in flight, and when in doubt, nothing. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "bed/failing_alloc.h"
#include "bed/fs_fault.h"

typedef struct fixture {
    bool         is_layout;
    char        *dir;
    char         at[512], location[600], repo[16];
    mlr_runtime *rt;
    mlr_place   *p;
} fixture;

static int set_up_kind(void **state, bool is_layout)
{
    fixture *f = calloc(1, sizeof(*f));
    f->is_layout = is_layout;
    f->dir = bed_dir_new();
    snprintf(f->at, sizeof(f->at), "%s", bed_at(f->dir, "place"));
    snprintf(f->location, sizeof(f->location), is_layout ? "oci:%s" : "%s", f->at);
    snprintf(f->repo, sizeof(f->repo), is_layout ? "" : "x");
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &f->rt, NULL), 0);
    f->p = bed_open(f->location, MLREG_OPEN_CREATE, f->rt);
    *state = f;
    return 0;
}

static int set_up_store(void **state)
{
    return set_up_kind(state, false);
}

static int set_up_layout(void **state)
{
    return set_up_kind(state, true);
}

static int tear_down(void **state)
{
    fixture *f = *state;
    mlr_clock_use(NULL);
    mlr_fs_use(NULL, NULL);
    mlr_place_close(f->p);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

/* A new session: what the old one had in flight is in flight no more. */
static void reopen(fixture *f)
{
    mlr_place_close(f->p);
    f->p = bed_open(f->location, 0, f->rt);
}

static int try_gc(mlr_place *p, uint32_t flags, uint64_t grace_ms, mlreg_gc_report *report, mlreg_error **err)
{
    mlreg_gc_options o;
    MLREG_INIT(o);
    o.flags = flags;
    o.grace_ms = grace_ms;
    MLREG_INIT(*report);
    return mlr_place_gc(p, &o, NULL, report, err);
}

static uint64_t gc(fixture *f)
{
    mlreg_gc_report report;
    bed_assert_rc(try_gc(f->p, 0, MLREG_NONE, &report, &err), 0);
    return report.blobs;
}

static const char *blob_path(const fixture *f, const char *below, const char *text)
{
    static char name[256];
    mlr_digest  d;
    mlr_digest_of(text, strlen(text), &d);
    snprintf(name, sizeof(name), "%s%sblobs/sha256/%s", below, below[0] != 0 ? "/" : "", mlr_digest_hex(&d));
    return bed_at(f->at, name);
}

static void tag_and_free(fixture *f, const char *repo, const char *tag, mlr_manifest *m)
{
    bed_tag(f->p, repo, tag, m);
    mlr_manifest_free(m);
}

static void remove_tag(fixture *f, const char *tag)
{
    const mlr_ref r = { f->repo, (char *)tag, { "" } };
    bed_assert_rc(mlr_place_remove(f->p, &r, NULL, &err), 0);
}

static void test_gc__takes_what_no_manifest_names(void **state)
{
    fixture        *f = *state;
    mlreg_gc_report report;
    tag_and_free(f, f->repo, "stays", bed_image(f->p, f->repo, "kept", NULL));
    tag_and_free(f, f->repo, "goes", bed_image(f->p, f->repo, "lost!", NULL));
    bed_put(f->p, f->repo, "never named");
    assert_int_equal(gc(f), 0);
    remove_tag(f, "goes");
    reopen(f);
    bed_assert_rc(try_gc(f->p, MLREG_GC_DRY_RUN, MLREG_NONE, &report, &err), 0);
    assert_int_equal(report.blobs, 3); /* the manifest, its layer, and the one never named */
    assert_true(report.bytes > 5 + 11);
    assert_int_equal(bed_has(f->p, f->repo, "lost!"), 1);
    reopen(f); /* having asked is having it in flight */
    assert_int_equal(gc(f), 3);
    assert_int_equal(bed_has(f->p, f->repo, "lost!"), 0);
    assert_int_equal(bed_has(f->p, f->repo, "never named"), 0);
    assert_int_equal(bed_has(f->p, f->repo, "kept"), 1);
    assert_int_equal(bed_has(f->p, f->repo, "{}"), 1);
    assert_false(!f->is_layout && bed_exists(blob_path(f, ".mlreg", "lost!")));
    assert_int_equal(gc(f), 0);
}

static void test_gc__of_an_artifact_just_removed_needs_no_new_session(void **state)
{
    fixture *f = *state;
    tag_and_free(f, f->repo, "v1", bed_image(f->p, f->repo, "layer", NULL));
    remove_tag(f, "v1");
    assert_int_equal(gc(f), 3);
}

static int64_t two_hours_from_now(void *user)
{
    struct timespec t;
    (void)user;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + 2 * 3600 * 1000;
}

static int64_t two_days_from_now(void *user)
{
    return two_hours_from_now(user) + (int64_t)46 * 3600 * 1000;
}

static void test_gc__leaves_the_young_alone(void **state)
{
    static const mlr_clock later = { .wall_ms = two_hours_from_now };
    fixture        *f = *state;
    mlreg_gc_report report;
    bed_put(f->p, f->repo, "young");
    reopen(f);
    bed_assert_rc(mlr_place_gc(f->p, NULL, NULL, &report, &err), 0); /* one hour, by default */
    assert_int_equal(report.blobs, 0);
    mlr_clock_use(&later);
    bed_assert_rc(try_gc(f->p, 0, 3 * 3600 * 1000, &report, &err), 0);
    assert_int_equal(report.blobs, 0);
    bed_assert_rc(try_gc(f->p, 0, 0, &report, &err), 0);
    assert_int_equal(report.blobs, 1);
}

static void test_gc__leaves_what_another_session_has_in_flight(void **state)
{
    fixture   *f = *state;
    mlr_place *other = bed_open(f->location, 0, f->rt);
    bed_put(f->p, f->repo, "found there");
    reopen(f);
    bed_put(other, f->repo, "written");
    assert_int_equal(bed_has(other, f->repo, "found there"), 1);
    assert_int_equal(gc(f), 0);
    tag_and_free(f, f->repo, "v1", bed_image(other, f->repo, "written", NULL));
    mlr_place_close(other);
    assert_int_equal(gc(f), 1);
    assert_int_equal(bed_has(f->p, f->repo, "written"), 1);
}

static void test_gc__keeps_indexes_with_all_below_and_referrers(void **state)
{
    fixture            *f = *state;
    mlr_manifest       *a = bed_image(f->p, f->repo, "amd64", NULL), *b = bed_image(f->p, f->repo, "arm64", NULL);
    const mlr_manifest *children[] = { a, b }, *outer_child[1];
    mlr_manifest       *index = bed_index(children, 2), *outer, *signature;
    bed_assert_rc(bed_try_tag(f->p, f->repo, NULL, false, a, &err), 0);
    bed_assert_rc(bed_try_tag(f->p, f->repo, NULL, false, b, &err), 0);
    bed_assert_rc(bed_try_tag(f->p, f->repo, NULL, false, index, &err), 0);
    outer_child[0] = index;
    outer = bed_index(outer_child, 1);
    bed_tag(f->p, f->repo, "v1", outer);
    signature = bed_image(f->p, f->repo, "signature", outer);
    bed_assert_rc(bed_try_tag(f->p, f->repo, NULL, false, signature, &err), 0);
    reopen(f);
    assert_int_equal(gc(f), 0);
    assert_int_equal(bed_has(f->p, f->repo, "arm64"), 1);
    assert_int_equal(bed_has(f->p, f->repo, "signature"), 1);
    mlr_manifest_free(a);
    mlr_manifest_free(b);
    mlr_manifest_free(index);
    mlr_manifest_free(outer);
    mlr_manifest_free(signature);
}

static void test_gc__takes_a_link_but_not_what_another_repository_names(void **state)
{
    fixture    *f = *state;
    struct stat st;
    tag_and_free(f, "x", "v1", bed_image(f->p, "x", "shared", NULL));
    tag_and_free(f, "y", "v1", bed_image(f->p, "y", "shared", NULL));
    remove_tag(f, "v1");
    reopen(f);
    assert_int_equal(gc(f), 0);
    assert_int_equal(bed_has(f->p, "x", "shared"), 0);
    assert_int_equal(bed_has(f->p, "y", "shared"), 1);
    assert_int_equal(stat(blob_path(f, ".mlreg", "shared"), &st), 0);
    assert_int_equal(st.st_nlink, 2);
}

static void test_gc__leaves_a_pooled_blob_with_a_link_it_does_not_know(void **state)
{
    fixture *f = *state;
    bed_put(f->p, "x", "linked from elsewhere");
    reopen(f);
    assert_int_equal(link(blob_path(f, "x", "linked from elsewhere"), bed_at(f->at, "elsewhere")), 0);
    assert_int_equal(gc(f), 0);
    assert_true(bed_exists(blob_path(f, ".mlreg", "linked from elsewhere")));
    assert_int_equal(unlink(bed_at(f->at, "elsewhere")), 0);
    assert_int_equal(gc(f), 1);
}

/* ---- in doubt, nothing ---- */

static void assert_refuses(fixture *f, const char *word)
{
    mlreg_gc_report report;
    mlreg_error    *err = NULL;
    bed_put(f->p, f->repo, "nobody's");
    reopen(f);
    assert_int_equal(try_gc(f->p, 0, MLREG_NONE, &report, &err), MLREG_EPROTO);
    if (strstr(err->message, word) == NULL)
        fail_msg("'%s' does not say '%s'", err->message, word);
    assert_non_null(strstr(err->hint, "fsck"));
    mlr_error_done(err);
    assert_int_equal(bed_has(f->p, f->repo, "nobody's"), 1);
}

static const char *below(const fixture *f)
{
    return f->is_layout ? "" : "x";
}

static void test_gc__removes_nothing_if_a_manifest_is_damaged(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "layer", NULL);
    const char   *path = blob_path(f, below(f), m->json);
    char         *damaged = strdup(m->json);
    bed_tag(f->p, f->repo, "v1", m);
    damaged[m->json_bytes - 2] = ' ';
    assert_int_equal(chmod(path, 0644), 0);
    bed_write(path, damaged);
    assert_refuses(f, m->self.digest.text);
    free(damaged);
    mlr_manifest_free(m);
}

static void test_gc__removes_nothing_if_a_manifest_is_missing(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "layer", NULL);
    bed_tag(f->p, f->repo, "v1", m);
    assert_int_equal(unlink(blob_path(f, below(f), m->json)), 0);
    assert_refuses(f, m->self.digest.text);
    mlr_manifest_free(m);
}

static void sleep_not(void *user, uint64_t ms)
{
    (void)user;
    (void)ms;
}

static void test_gc__removes_nothing_if_the_index_is_broken(void **state)
{
    static const mlr_clock no_waiting = { .sleep_ms = sleep_not };
    fixture *f = *state;
    mlr_clock_use(&no_waiting);
    tag_and_free(f, f->repo, "v1", bed_image(f->p, f->repo, "layer", NULL));
    bed_write(bed_at(f->at, f->is_layout ? "index.json" : "x/index.json"), "");
    assert_refuses(f, "index.json");
}

static void write_index(const fixture *f, const char *entry)
{
    char text[2048];
    snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"manifests\":[%s]}", entry);
    bed_write(bed_at(f->at, f->is_layout ? "oci-layout" : "x/oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
    bed_write(bed_at(f->at, f->is_layout ? "index.json" : "x/index.json"), text);
}

static void test_gc__removes_nothing_if_an_entry_cannot_be_read(void **state)
{
    fixture *f = *state;
    bed_put(f->p, f->repo, "x");
    write_index(f, "{\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"size\":1,\"digest\":\"blake3:"
                   "1111111111111111111111111111111111111111111111111111111111111111\"}");
    assert_refuses(f, "blake3");
}

static void test_gc__keeps_every_digest_in_a_document_it_does_not_know(void **state)
{
    fixture *f = *state;
    mlr_blob part = bed_put(f->p, f->repo, "named in a foreign way"), document;
    char     text[512], entry[512];
    snprintf(text, sizeof(text), "{\"blobs\":[{\"hash\":\"%s\"}]}", part.digest.text);
    document = bed_put(f->p, f->repo, text);
    bed_put(f->p, f->repo, "named nowhere");
    snprintf(entry, sizeof(entry),
             "{\"mediaType\":\"application/vnd.oci.artifact.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu}",
             document.digest.text, strlen(text));
    write_index(f, entry);
    reopen(f);
    assert_int_equal(gc(f), 1);
    assert_int_equal(bed_has(f->p, f->repo, "named in a foreign way"), 1);
    assert_int_equal(bed_has(f->p, f->repo, text), 1);
}

/* An entry for a document that is there, of a type that nobody here knows; it names a blob that is there too. */
static mlr_blob put_unknown(fixture *f, const char *part)
{
    mlr_blob named = bed_put(f->p, f->repo, part), document;
    char     text[512], entry[512];
    snprintf(text, sizeof(text), "{\"blobs\":[{\"hash\":\"%s\"}]}", named.digest.text);
    document = bed_put(f->p, f->repo, text);
    snprintf(entry, sizeof(entry), "{\"mediaType\":\"application/x-unknown\",\"digest\":\"%s\",\"size\":%zu}", document.digest.text,
             strlen(text));
    write_index(f, entry);
    return document;
}

static void test_gc__keeps_what_a_document_names_that_cannot_be_read_now(void **state)
{
    fixture *f = *state;
    put_unknown(f, "named in a foreign way");
    for (int n = 1, fired = 1; fired; n++) {
        mlreg_gc_report report;
        reopen(f);
        fs_fault_arm(n, 0, EIO);
        try_gc(f->p, 0, MLREG_NONE, &report, NULL);
        fired = fs_fault_disarm();
        assert_int_equal(bed_has(f->p, f->repo, "named in a foreign way"), 1);
    }
    for (int n = 1, fired = 1; fired; n++) {
        mlreg_gc_report report;
        failing_alloc   a;
        reopen(f);
        failing_alloc_arm(&a, n, false);
        try_gc(f->p, 0, MLREG_NONE, &report, NULL);
        fired = failing_alloc_disarm(&a);
        assert_int_equal(bed_has(f->p, f->repo, "named in a foreign way"), 1);
    }
}

/* Whoever names a manifest by another type, and by a size that forbids to look into it, cannot keep it from being read. */
static void test_gc__reads_a_manifest_that_something_else_calls_by_another_type(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, f->repo, "layer", NULL);
    const char   *sizes[] = { "4611686018427387904", NULL };
    char          right[32], entry[1024];
    bed_put(f->p, f->repo, m->json);
    snprintf(right, sizeof(right), "%zu", m->json_bytes);
    sizes[1] = right;
    for (size_t i = 0; i < 2; i++) {
        snprintf(entry, sizeof(entry),
                 "{\"mediaType\":\"application/x-unknown\",\"digest\":\"%s\",\"size\":%s},"
                 "{\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"digest\":\"%s\",\"size\":%s}",
                 m->self.digest.text, sizes[i], m->self.digest.text, right);
        write_index(f, entry);
        reopen(f);
        gc(f);
        assert_int_equal(bed_has(f->p, f->repo, "layer"), 1);
        assert_int_equal(bed_has(f->p, f->repo, "{}"), 1);
    }
    mlr_manifest_free(m);
}

static void test_gc__goes_on_where_an_index_is_sparse(void **state)
{
    fixture            *f = *state;
    mlr_manifest       *here = bed_image(f->p, f->repo, "this platform", NULL);
    mlr_manifest       *absent = bed_image_text("another", "t/u", NULL);
    const mlr_manifest *children[] = { here, absent };
    mlr_manifest       *index = bed_index(children, 2);
    char                entry[512];
    bed_put(f->p, f->repo, here->json);
    bed_put(f->p, f->repo, index->json);
    bed_put(f->p, f->repo, "nobody's");
    snprintf(entry, sizeof(entry), "{\"mediaType\":\"" MLR_TYPE_INDEX "\",\"digest\":\"%s\",\"size\":%zu}",
             index->self.digest.text,
             index->json_bytes);
    write_index(f, entry);
    reopen(f);
    assert_int_equal(gc(f), 1);
    assert_int_equal(bed_has(f->p, f->repo, "this platform"), 1);
    mlr_manifest_free(here);
    mlr_manifest_free(absent);
    mlr_manifest_free(index);
}

static void test_gc__takes_leftovers_of_yesterday(void **state)
{
    static const mlr_clock later = { .wall_ms = two_days_from_now };
    fixture    *f = *state;
    const char *left = bed_at(f->at, f->is_layout ? "blobs/sha256/.tmp-0123456789abcdef"
                              : ".mlreg/partial/.tmp-0123456789abcdef");
    bed_put(f->p, f->repo, "so that notes are there");
    bed_write(left, "half of a blob");
    assert_int_equal(gc(f), 0);
    assert_true(bed_exists(left));
    mlr_clock_use(&later);
    assert_int_equal(gc(f), 0);
    assert_false(bed_exists(left));
    assert_int_equal(bed_has(f->p, f->repo, "so that notes are there"), 1);
}

static int gc_by_default(fixture *f)
{
    mlreg_gc_report report;
    return try_gc(f->p, 0, 0, &report, NULL);
}

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* What a killed process had received of a blob is worth going on with, a lock of its own is not; and who spares nothing spares neither. */
static void test_gc__keeps_what_can_be_gone_on_with(void **state)
{
    fixture    *f = *state;
    const char *part = bed_at(f->at, ".mlreg/partial/" HEX), *lock = bed_at(f->at, ".mlreg/partial/" HEX ".lock");
    if (f->is_layout)
        return;
    bed_put(f->p, f->repo, "so that there is a folder for them");
    bed_write(lock, "");
    assert_int_equal(gc_by_default(f), 0);
    assert_false(bed_exists(lock));
    bed_write(part, "half of a blob");
    bed_write(lock, "");
    assert_int_equal(gc_by_default(f), 0);
    assert_true(bed_exists(part));
    assert_int_equal(gc(f), 0);
    assert_false(bed_exists(part));
    assert_false(bed_exists(lock));
}

static void test_gc__of_a_place_with_nothing_in_it_is_nothing(void **state)
{
    fixture *f = *state;
    assert_int_equal(gc(f), 0);
}

/* Whatever fails meanwhile: what is named stays. */
static void test_gc__harms_nothing_whatever_fails(void **state)
{
    fixture  *f = *state;
    mlr_list *problems = NULL;
    tag_and_free(f, f->repo, "v1", bed_image(f->p, f->repo, "kept", NULL));
    for (int for_good = 0; for_good <= 1; for_good++)
        for (int n = 1, fired = 1; fired; n++) {
            mlreg_gc_report report;
            mlreg_error    *err = NULL;
            char            text[32];
            snprintf(text, sizeof(text), "garbage %d %d", for_good, n);
            bed_put(f->p, f->repo, text);
            reopen(f);
            fs_fault_arm(n, for_good, EIO);
            int rc = try_gc(f->p, 0, MLREG_NONE, &report, &err);
            fired = fs_fault_disarm();
            if (rc != 0 && (!fired || rc != MLREG_EIO))
                fail_msg("call %d gave %d: %s", n, rc, err->message);
            assert_int_equal(err != NULL, rc < 0);
            mlr_error_done(err);
            gc(f);
        }
    bed_assert_rc(mlr_place_fsck(f->p, 0, NULL, &problems, &err), 0);
    assert_int_equal(problems->n, 0);
    mlr_list_free(problems);
    assert_int_equal(bed_has(f->p, f->repo, "kept"), 1);
}

static void test_gc__removes_nothing_when_memory_is_out(void **state)
{
    fixture *f = *state;
    bool     fired = true;
    tag_and_free(f, f->repo, "v1", bed_image(f->p, f->repo, "kept", NULL));
    bed_put(f->p, f->repo, "garbage");
    reopen(f);
    for (int n = 1; fired; n++) {
        failing_alloc   a;
        mlreg_gc_report report;
        mlreg_error    *err = NULL;
        failing_alloc_arm(&a, n, true);
        int rc = try_gc(f->p, MLREG_GC_DRY_RUN, MLREG_NONE, &report, &err);
        fired = failing_alloc_disarm(&a);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        mlr_error_done(err);
    }
    assert_int_equal(gc(f), 1);
}

/* ---- at the same time ---- */

enum { ROUNDS = 40 };

static int copy_rounds(const fixture *f)
{
    mlr_runtime          *rt = NULL;
    mlr_place            *p = NULL;
    mlreg_session_options o;
    MLREG_INIT(o);
    if (mlr_runtime_new(&(mlr_limits){ 0 }, &rt, NULL) < 0 || mlr_place_open(f->location, &o, rt, NULL, &p, NULL) < 0)
        return 1;
    for (int i = 0; i < ROUNDS; i++) {
        char          text[32];
        mlr_manifest *m;
        snprintf(text, sizeof(text), "round %d", i / 2); /* each content twice: written once, found once */
        m = bed_image_text(text, "t/u", NULL);
        mlr_blob config = bed_blob(f->repo, "{}", 2), layer = bed_blob(f->repo, text, strlen(text));
        if ((mlr_place_blob_has(p, &config, NULL, NULL) != 1 && bed_try_put(p, &config, "{}", 2, NULL) < 0) ||
            (mlr_place_blob_has(p, &layer, NULL, NULL) != 1 && bed_try_put(p, &layer, text, strlen(text), NULL) < 0))
            return 2;
        usleep(2000);
        if (bed_try_tag(p, f->repo, "latest", true, m, NULL) < 0)
            return 3;
        mlr_manifest_free(m);
    }
    mlr_place_close(p);
    mlr_runtime_unref(rt);
    return 0;
}

static struct { const char *lease; int removed; } stolen;

/* No locks here but leases, and with the first removal another has taken it over: who removes had stood still for a minute. */
static int take_lease_away(mlr_fs_call call, const char *name, void *user)
{
    (void)user;
    if (call == MLR_FS_UNLINK && strstr(name, "blobs/") != NULL && stolen.removed++ == 0) {
        assert_int_equal(unlink(stolen.lease), 0);
        close(open(stolen.lease, O_CREAT | O_EXCL | O_RDWR, 0600));
    }
    return call == MLR_FS_LOCK ? ENOLCK : 0;
}

static void test_gc__removes_no_more_once_another_has_its_lease(void **state)
{
    fixture        *f = *state;
    mlreg_gc_report report;
    char           *lease = strdup(bed_at(f->at, ".mlreg/locks/gate.lease"));

    bed_put(f->p, f->repo, "one");
    bed_put(f->p, f->repo, "two");
    reopen(f);
    stolen.lease = lease;
    mlr_fs_use(take_lease_away, NULL);
    bed_assert_rc(try_gc(f->p, 0, MLREG_NONE, &report, &err), MLREG_EBUSY);
    mlr_fs_use(NULL, NULL);
    assert_int_equal(stolen.removed, 1);
    unlink(lease);
    free(lease);
}

static void test_gc__at_the_same_time_as_a_copy_takes_nothing_of_it(void **state)
{
    fixture  *f = *state;
    mlr_list *problems = NULL;
    pid_t     child = fork();
    int       status;
    if (child == 0)
        _exit(copy_rounds(f));
    while (waitpid(child, &status, WNOHANG) == 0) {
        gc(f);
        usleep(5000); /* locks are not fair: whoever never lets go is never disturbed */
    }
    assert_int_equal(status, 0);
    bed_assert_rc(mlr_place_fsck(f->p, 0, NULL, &problems, &err), 0);
    assert_int_equal(problems->n, 0);
    mlr_list_free(problems);
    gc(f);
    assert_int_equal(bed_has(f->p, f->repo, "round 19"), 1);
    assert_int_equal(bed_has(f->p, f->repo, "round 18"), 0);
}

int main(void)
{
#define IN_BOTH(t) { "store: " #t, t, set_up_store, tear_down, NULL }, { "layout: " #t, t, set_up_layout, tear_down, NULL }
#define IN_STORE(t) { "store: " #t, t, set_up_store, tear_down, NULL }
    const struct CMUnitTest tests[] = {
        IN_BOTH(test_gc__takes_what_no_manifest_names),
        IN_BOTH(test_gc__of_an_artifact_just_removed_needs_no_new_session),
        IN_BOTH(test_gc__leaves_the_young_alone),
        IN_BOTH(test_gc__leaves_what_another_session_has_in_flight),
        IN_BOTH(test_gc__keeps_indexes_with_all_below_and_referrers),
        IN_STORE(test_gc__takes_a_link_but_not_what_another_repository_names),
        IN_STORE(test_gc__leaves_a_pooled_blob_with_a_link_it_does_not_know),
        IN_BOTH(test_gc__removes_nothing_if_a_manifest_is_damaged),
        IN_BOTH(test_gc__removes_nothing_if_a_manifest_is_missing),
        IN_BOTH(test_gc__removes_nothing_if_the_index_is_broken),
        IN_BOTH(test_gc__removes_nothing_if_an_entry_cannot_be_read),
        IN_BOTH(test_gc__keeps_every_digest_in_a_document_it_does_not_know),
        IN_BOTH(test_gc__keeps_what_a_document_names_that_cannot_be_read_now),
        IN_BOTH(test_gc__reads_a_manifest_that_something_else_calls_by_another_type),
        IN_BOTH(test_gc__goes_on_where_an_index_is_sparse),
        IN_BOTH(test_gc__takes_leftovers_of_yesterday),
        IN_BOTH(test_gc__keeps_what_can_be_gone_on_with),
        IN_BOTH(test_gc__of_a_place_with_nothing_in_it_is_nothing),
        IN_BOTH(test_gc__harms_nothing_whatever_fails),
        IN_BOTH(test_gc__removes_nothing_when_memory_is_out),
        cmocka_unit_test_setup_teardown(test_gc__removes_no_more_once_another_has_its_lease, set_up_store, tear_down),
        IN_BOTH(test_gc__at_the_same_time_as_a_copy_takes_nothing_of_it),
    };
    return cmocka_run_group_tests_name("place/gc", tests, NULL, NULL);
}
