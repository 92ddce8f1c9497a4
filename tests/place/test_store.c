/* place/test_store.c - a store on disk: what lies where, what opens it, what a fault leaves behind. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "bed/failing_alloc.h"
#include "bed/fs_fault.h"

typedef struct fixture {
    char        *dir;
    char         at[512]; /* the store */
    mlr_runtime *rt;
    mlr_place   *p;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->dir = bed_dir_new();
    snprintf(f->at, sizeof(f->at), "%s", bed_at(f->dir, "store"));
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &f->rt, NULL), 0);
    f->p = bed_open(f->at, MLREG_OPEN_CREATE, f->rt);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    mlr_fs_use(NULL, NULL);
    mlr_place_close(f->p);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

/* ---- where things are ---- */

static const char *blob_path(const fixture *f, const char *below, const char *text)
{
    static char name[256];
    mlr_digest  d;
    mlr_digest_of(text, strlen(text), &d);
    snprintf(name, sizeof(name), "%s/blobs/sha256/%s", below, mlr_digest_hex(&d));
    return bed_at(f->at, name);
}

static struct stat look(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        fail_msg("%s is not there", path);
    return st;
}

static void test_store__is_a_layout_for_each_repository_and_a_pool(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, "127.0.0.1:5000/team/x", "layer", NULL);
    mlr_manifest *n = bed_image(f->p, "team/blobs", "layer", NULL);
    bed_tag(f->p, "127.0.0.1:5000/team/x", "v1", m);
    bed_tag(f->p, "team/blobs", "v1", n);
    assert_true(bed_exists(bed_at(f->at, "127.0.0.1+5000/team/x/oci-layout")));
    assert_true(bed_exists(bed_at(f->at, "127.0.0.1+5000/team/x/index.json")));
    assert_true(bed_exists(bed_at(f->at, "team/blobs+/index.json")));
    assert_int_equal(look(blob_path(f, ".mlreg", "layer")).st_nlink, 3);
    assert_true(look(blob_path(f, ".mlreg", "layer")).st_ino == look(blob_path(f, "team/blobs+", "layer")).st_ino);
    assert_int_equal(look(blob_path(f, "team/blobs+", "layer")).st_mode & 07777, 0444);
    assert_int_equal(look(bed_at(f->at, ".mlreg")).st_mode & 07777, 0700);
    bed_assert_file(bed_at(f->at, ".mlreg/format"), "1\n");
    assert_int_equal(bed_count(bed_at(f->at, ".mlreg/partial")), 0);
    mlr_manifest_free(m);
    mlr_manifest_free(n);
}

static void test_store__keeps_repositories_within_repositories(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, "team", "a", NULL), *n = bed_image(f->p, "team/x/y", "b", NULL);
    mlr_list     *repos = NULL;
    bed_tag(f->p, "team", "v1", m);
    bed_tag(f->p, "team/x/y", "v1", n);
    bed_assert_rc(mlr_place_repositories(f->p, NULL, &repos, &err), 0);
    assert_int_equal(repos->n, 2);
    assert_string_equal(repos->items[0].name, "team");
    assert_string_equal(repos->items[1].name, "team/x/y");
    mlr_list_free(repos);
    mlr_manifest_free(m);
    mlr_manifest_free(n);
}

static void test_store__leaves_no_notes_behind_when_it_is_closed(void **state)
{
    fixture *f = *state;
    bed_put(f->p, "x", "in flight");
    assert_int_equal(bed_count(bed_at(f->at, ".mlreg/locks")), 2); /* the gate, and what is in flight */
    mlr_place_close(f->p);
    f->p = NULL;
    assert_int_equal(bed_count(bed_at(f->at, ".mlreg/locks")), 1);
    f->p = bed_open(f->at, 0, f->rt);
}

static void test_store__a_blob_is_trusted_only_where_it_was_verified(void **state)
{
    fixture    *f = *state;
    mlr_blob    b = bed_put(f->p, "x", "ours");
    mlr_blob    theirs = bed_blob("x", "theirs", 6);
    mlr_reader *r = NULL;
    bed_assert_rc(mlr_place_blob_open(f->p, &b, NULL, &r, &err), 0);
    assert_true(r->trusted && r->fd >= 0);
    mlr_reader_free(r);
    bed_write(blob_path(f, "x", "theirs"), "theirs"); /* as another tool would put it into the layout */
    bed_assert_rc(mlr_place_blob_open(f->p, &theirs, NULL, &r, &err), 0);
    assert_false(r->trusted);
    mlr_reader_free(r);
}

/* A copy needs a name as well, so only the first try fails. */
static int no_link_into_repository(mlr_fs_call call, const char *name, void *user)
{
    bool *once = user;
    if (call != MLR_FS_LINK || strstr(name, "/x/blobs/") == NULL || !*once)
        return 0;
    *once = false;
    return EMLINK;
}

static void test_store__works_without_hard_links(void **state)
{
    fixture      *f = *state;
    mlr_buf       back = MLR_BUF_INIT(100);
    mlr_blob      b = bed_blob("x", "layer", 5);
    mlr_manifest *m;
    bool once = true;
    mlr_fs_use(no_link_into_repository, &once);
    bed_put(f->p, "x", "layer");
    mlr_fs_use(NULL, NULL);
    assert_false(once);
    assert_int_equal(look(blob_path(f, ".mlreg", "layer")).st_nlink, 1);
    m = bed_image(f->p, "x", "layer", NULL);
    bed_tag(f->p, "x", "v1", m);
    bed_assert_rc(bed_read(f->p, &b, &back, &err), 0);
    assert_string_equal(back.data, "layer");
    mlr_buf_done(&back);
    mlr_manifest_free(m);
}

/* ---- other tools ---- */

static void test_store__is_a_layout_to_others_and_keeps_what_they_write(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, "team/x", "one", NULL), *n;
    char          location[600];
    mlr_place    *other;
    mlr_list     *tags = NULL;
    bed_tag(f->p, "team/x", "v1", m);
    snprintf(location, sizeof(location), "oci:%s/team/x", f->at);
    other = bed_open(location, 0, f->rt);
    assert_string_equal(bed_at_tag(other, "", "v1").text, m->self.digest.text);
    n = bed_image(other, "", "two", NULL);
    bed_tag(other, "", "v2", n);
    mlr_place_close(other);
    bed_assert_rc(mlr_place_tags(f->p, "team/x", NULL, &tags, &err), 0);
    assert_int_equal(tags->n, 2);
    assert_string_equal(bed_at_tag(f->p, "team/x", "v2").text, n->self.digest.text);
    bed_tag(f->p, "team/x", "v3", m);
    assert_string_equal(bed_at_tag(f->p, "team/x", "v2").text, n->self.digest.text);
    mlr_list_free(tags);
    mlr_manifest_free(m);
    mlr_manifest_free(n);
}

static void test_store__follows_no_link_below_itself(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, "real", "layer", NULL);
    mlr_list     *repos = NULL;
    bed_tag(f->p, "real", "v1", m);
    assert_int_equal(mkdir(bed_at(f->dir, "outside"), 0755), 0);
    assert_int_equal(symlink(bed_at(f->dir, "outside"), bed_at(f->at, "linked")), 0);
    mlr_blob b = bed_blob("linked", "x", 1);
    bed_assert_rc(bed_try_put(f->p, &b, "x", 1, &err), MLREG_EDENIED);
    bed_assert_rc(bed_try_tag(f->p, "linked/y", "v1", true, m, &err), MLREG_EDENIED);
    assert_int_equal(bed_count(bed_at(f->dir, "outside")), 0);
    bed_assert_rc(mlr_place_repositories(f->p, NULL, &repos, &err), 0);
    assert_int_equal(repos->n, 1);
    mlr_list_free(repos);
    mlr_manifest_free(m);
}

static void test_store__heals_a_blob_that_lost_its_size(void **state)
{
    fixture *f = *state;
    mlr_buf  back = MLR_BUF_INIT(100);
    mlr_blob b = bed_put(f->p, "x", "whole");
    assert_int_equal(chmod(blob_path(f, ".mlreg", "whole"), 0644), 0);
    bed_write(blob_path(f, ".mlreg", "whole"), "");
    assert_int_equal(bed_has(f->p, "x", "whole"), 0);
    bed_put(f->p, "x", "whole");
    bed_assert_rc(bed_read(f->p, &b, &back, &err), 0);
    assert_string_equal(back.data, "whole");
    mlr_buf_done(&back);
}

/* ---- opening ---- */

static void assert_opens(const char *location, uint32_t flags, int want, const char *hint)
{
    mlreg_session_options o;
    mlreg_error          *err = NULL;
    mlr_runtime          *rt = NULL;
    mlr_place            *p = NULL;
    MLREG_INIT(o);
    o.flags = flags;
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &rt, NULL), 0);
    int rc = mlr_place_open(location, &o, rt, NULL, &p, &err);
    if (rc != want)
        fail_msg("%s: %d (%s), not %d", location, rc, err != NULL ? err->message : "", want);
    if (want < 0) {
        assert_non_null(err->message);
        if (hint != NULL && (err->hint == NULL || strstr(err->hint, hint) == NULL))
            fail_msg("%s: the hint '%s' does not say '%s'", location, err->hint != NULL ? err->hint : "", hint);
        assert_string_equal(err->place, location);
    }
    mlr_error_done(err);
    mlr_place_close(p);
    mlr_runtime_unref(rt);
}

static void test_store__that_is_missing_is_not_found(void **state)
{
    fixture    *f = *state;
    const char *empty = bed_at(f->dir, "empty");
    assert_opens(bed_at(f->dir, "none"), 0, MLREG_ENOTFOUND, "MLREG_OPEN_CREATE");
    assert_opens(bed_at(f->dir, "none"), MLREG_OPEN_READONLY | MLREG_OPEN_CREATE, MLREG_ENOTFOUND, "MLREG_OPEN_CREATE");
    assert_false(bed_exists(bed_at(f->dir, "none")));
    assert_int_equal(mkdir(empty, 0755), 0);
    assert_opens(empty, 0, MLREG_ENOTFOUND, "MLREG_OPEN_CREATE");
    assert_int_equal(bed_count(empty), 0);
    assert_opens(empty, MLREG_OPEN_CREATE, 0, NULL);
    assert_opens(empty, 0, 0, NULL);
    assert_opens(bed_at(f->dir, "a/b/c"), MLREG_OPEN_CREATE, 0, NULL);
}

static void test_store__whose_making_was_cut_is_made_again(void **state)
{
    fixture *f = *state;
    bed_put(f->p, "x", "y");
    assert_int_equal(mkdir(bed_at(f->dir, "cut"), 0755), 0);
    assert_int_equal(mkdir(bed_at(f->dir, "cut/.mlreg"), 0755), 0);
    assert_opens(bed_at(f->dir, "cut"), 0, MLREG_ENOTFOUND, "MLREG_OPEN_CREATE");
    assert_opens(bed_at(f->dir, "cut"), MLREG_OPEN_CREATE, 0, NULL);
}

static void test_store__is_not_made_where_something_else_is(void **state)
{
    fixture *f = *state;
    bed_write(bed_at(f->dir, "file"), "text");
    assert_opens(bed_at(f->dir, "file"), MLREG_OPEN_CREATE, MLREG_EPROTO, NULL);
    assert_opens(bed_at(f->dir, "file/below"), MLREG_OPEN_CREATE, MLREG_EIO, NULL);
    assert_int_equal(mkdir(bed_at(f->dir, "full"), 0755), 0);
    bed_write(bed_at(f->dir, "full/holiday.jpg"), "text");
    assert_opens(bed_at(f->dir, "full"), MLREG_OPEN_CREATE, MLREG_EPROTO, "empty");
    assert_int_equal(bed_count(bed_at(f->dir, "full")), 1);
    assert_int_equal(mkdir(bed_at(f->dir, "layout"), 0755), 0);
    bed_write(bed_at(f->dir, "layout/oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
    assert_opens(bed_at(f->dir, "layout"), MLREG_OPEN_CREATE, MLREG_EPROTO, "oci:");
}

static void test_store__of_a_newer_format_is_not_touched(void **state)
{
    fixture *f = *state;
    bed_write(bed_at(f->at, ".mlreg/format"), "2\n");
    assert_opens(f->at, MLREG_OPEN_CREATE, MLREG_ENOTSUP, "newer");
    bed_assert_file(bed_at(f->at, ".mlreg/format"), "2\n");
    bed_write(bed_at(f->at, ".mlreg/format"), "one\n");
    assert_opens(f->at, 0, MLREG_EPROTO, NULL);
    bed_write(bed_at(f->at, ".mlreg/format"), "a format that is far too long to be one\n");
    assert_opens(f->at, 0, MLREG_EPROTO, NULL);
    bed_write(bed_at(f->at, ".mlreg/format"), "1\n");
}

static void test_store__opened_to_be_read_only_writes_nothing_at_all(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, "x", "layer", NULL);
    mlr_place    *p;
    mlr_list     *problems = NULL;
    bed_tag(f->p, "x", "v1", m);
    mlr_place_close(f->p);
    f->p = NULL;
    p = bed_open(f->at, MLREG_OPEN_READONLY, f->rt);
    fs_fault_arm_only(MLR_FS_WRITE, 1, 1, EROFS);
    assert_int_equal(bed_has(p, "x", "layer"), 1);
    assert_string_equal(bed_at_tag(p, "x", "v1").text, m->self.digest.text);
    bed_assert_rc(mlr_place_fsck(p, 0, NULL, &problems, &err), 0);
    assert_int_equal(problems->n, 0);
    assert_int_equal(fs_fault_disarm(), 0);
    bed_assert_rc(mlr_place_gc(p, NULL, NULL, NULL, &err), MLREG_EDENIED);
    assert_int_equal(bed_count(bed_at(f->at, ".mlreg/locks")), 1);
    mlr_list_free(problems);
    mlr_place_close(p);
    f->p = bed_open(f->at, 0, f->rt);
    mlr_manifest_free(m);
}

/* ---- faults ---- */

static void assert_sound(fixture *f)
{
    mlr_list *problems = NULL;
    bed_assert_rc(mlr_place_fsck(f->p, 0, NULL, &problems, &err), 0);
    if (problems->n > 0)
        fail_msg("%zu problems: %s", problems->n, problems->items[0].name);
    mlr_list_free(problems);
    assert_int_equal(bed_count(bed_at(f->at, ".mlreg/partial")), 0);
}

/* Writes an artifact as a copy would; the first failure ends it. */
static int put_artifact(fixture *f, const char *text, mlreg_error **err)
{
    mlr_manifest *m = bed_image_text(text, "t/u", NULL);
    mlr_blob      config = bed_blob("faulty", "{}", 2), layer = bed_blob("faulty", text, strlen(text));
    int           rc;
    if ((rc = bed_try_put(f->p, &config, "{}", 2, err)) == 0 &&
        (rc = bed_try_put(f->p, &layer, text, strlen(text), err)) == 0)
        rc = bed_try_tag(f->p, "faulty", "v1", true, m, err);
    mlr_manifest_free(m);
    return rc;
}

/* The tag is at the new artifact or at the old one, and whichever it is, it is whole. Faults that a link survives by a
 * copy count as survived. */
static void fail_each_call(fixture *f, int errnum)
{
    char         old_text[64] = "before";
    mlr_manifest *old, *new;
    bed_assert_rc(put_artifact(f, old_text, &err), 0);
    for (int for_good = 0; for_good <= 1; for_good++)
        for (int n = 1, fired = 1; fired; n++) {
            char         text[64];
            mlreg_error *err = NULL;
            mlr_digest   at;
            snprintf(text, sizeof(text), "artifact %d %d %d", errnum, for_good, n);
            old = bed_image_text(old_text, "t/u", NULL);
            new = bed_image_text(text, "t/u", NULL);
            fs_fault_arm(n, for_good, errnum);
            int rc = put_artifact(f, text, &err);
            fired = fs_fault_disarm();
            assert_true(rc == 0 || fired);
            assert_int_equal(err != NULL, rc < 0);
            if (rc < 0 && errnum == ENOSPC)
                assert_true(rc == MLREG_EIO && err->hint != NULL);
            at = bed_at_tag(f->p, "faulty", "v1");
            assert_true(mlr_digest_equal(&at, &new->self.digest) ||
                        (rc < 0 && mlr_digest_equal(&at, &old->self.digest)));
            assert_sound(f);
            if (mlr_digest_equal(&at, &new->self.digest))
                snprintf(old_text, sizeof(old_text), "%s", text);
            mlr_error_done(err);
            mlr_manifest_free(old);
            mlr_manifest_free(new);
        }
}

static void test_store__put_leaves_a_sound_store_whatever_fails(void **state)
{
    fail_each_call(*state, EIO);
}

static void test_store__put_leaves_a_sound_store_when_the_disk_is_full(void **state)
{
    fail_each_call(*state, ENOSPC);
}

static void test_store__put_leaves_a_sound_store_without_memory(void **state)
{
    fixture *f = *state;
    bool     fired = true;
    bed_assert_rc(put_artifact(f, "before", &err), 0);
    for (int n = 1; fired; n++) {
        char          text[64];
        failing_alloc a;
        mlreg_error  *err = NULL;
        mlr_blob      layer;
        mlr_reader   *r = NULL;
        snprintf(text, sizeof(text), "artifact %d", n);
        layer = bed_blob("faulty", text, strlen(text));
        mlr_manifest *m = bed_image_text(text, "t/u", NULL);
        assert_int_equal(mlr_reader_from_memory(text, strlen(text), "x", &r, NULL), 0);
        failing_alloc_arm(&a, n, false);
        int rc = mlr_place_blob_write(f->p, &layer, r, NULL, &err);
        if (rc == 0)
            rc = bed_try_tag(f->p, "faulty", "v1", true, m, &err);
        fired = failing_alloc_disarm(&a);
        assert_true(rc == 0 || (fired && rc == MLREG_ENOMEM));
        assert_int_equal(err != NULL, rc < 0);
        mlr_error_done(err);
        mlr_reader_free(r);
        mlr_manifest_free(m);
        assert_sound(f);
    }
}

static void test_store__opening_survives_every_fault(void **state)
{
    fixture *f = *state;
    for (int n = 1, fired = 1; fired; n++) {
        mlreg_session_options o;
        mlreg_error          *err = NULL;
        mlr_place            *p = NULL;
        char                  at[600];
        MLREG_INIT(o);
        o.flags = MLREG_OPEN_CREATE;
        snprintf(at, sizeof(at), "%s/n%d", f->dir, n);
        fs_fault_arm(n, 0, EIO);
        int rc = mlr_place_open(at, &o, f->rt, NULL, &p, &err);
        fired = fs_fault_disarm();
        assert_true(rc == 0 || (fired && rc == MLREG_EIO));
        assert_int_equal(p != NULL, rc == 0);
        mlr_error_done(err);
        mlr_place_close(p);
        mlr_place_close(bed_open(at, MLREG_OPEN_CREATE, f->rt)); /* what was begun is finished */
    }
}

int main(void)
{
#define IN_STORE(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_STORE(test_store__is_a_layout_for_each_repository_and_a_pool),
        IN_STORE(test_store__keeps_repositories_within_repositories),
        IN_STORE(test_store__leaves_no_notes_behind_when_it_is_closed),
        IN_STORE(test_store__a_blob_is_trusted_only_where_it_was_verified),
        IN_STORE(test_store__works_without_hard_links),
        IN_STORE(test_store__is_a_layout_to_others_and_keeps_what_they_write),
        IN_STORE(test_store__follows_no_link_below_itself),
        IN_STORE(test_store__heals_a_blob_that_lost_its_size),
        IN_STORE(test_store__that_is_missing_is_not_found),
        IN_STORE(test_store__whose_making_was_cut_is_made_again),
        IN_STORE(test_store__is_not_made_where_something_else_is),
        IN_STORE(test_store__of_a_newer_format_is_not_touched),
        IN_STORE(test_store__opened_to_be_read_only_writes_nothing_at_all),
        IN_STORE(test_store__put_leaves_a_sound_store_whatever_fails),
        IN_STORE(test_store__put_leaves_a_sound_store_when_the_disk_is_full),
        IN_STORE(test_store__put_leaves_a_sound_store_without_memory),
        IN_STORE(test_store__opening_survives_every_fault),
    };
    return cmocka_run_group_tests_name("place/store", tests, NULL, NULL);
}
