/* place/test_layout.c - one OCI layout: what is exported holds nothing of ours, what is foreign is read with care. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"

typedef struct fixture {
    char        *dir;
    char         at[512], location[600];
    mlr_runtime *rt;
    mlr_place   *p;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->dir = bed_dir_new();
    snprintf(f->at, sizeof(f->at), "%s", bed_at(f->dir, "layout"));
    snprintf(f->location, sizeof(f->location), "oci:%s", f->at);
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &f->rt, NULL), 0);
    f->p = bed_open(f->location, MLREG_OPEN_CREATE, f->rt);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    mlr_fs_use(NULL, NULL);
    mlr_clock_use(NULL);
    mlr_place_close(f->p);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static void close_place(fixture *f)
{
    mlr_place_close(f->p);
    f->p = NULL;
}

static void test_layout__exported_holds_just_what_was_asked_for(void **state)
{
    fixture            *f = *state;
    mlr_manifest       *a = bed_image(f->p, "", "amd64", NULL), *b = bed_image(f->p, "", "arm64", NULL);
    const mlr_manifest *children[] = { a, b };
    mlr_manifest       *index = bed_index(children, 2);
    char                text[2048], want[2048];
    FILE               *file;
    bed_assert_rc(bed_try_tag(f->p, "", NULL, false, a, &err), 0);
    bed_assert_rc(bed_try_tag(f->p, "", NULL, false, b, &err), 0);
    bed_tag(f->p, "", "v1", index);
    close_place(f);
    assert_int_equal(bed_count(f->at), 3);
    bed_assert_file(bed_at(f->at, "oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
    assert_int_equal(bed_count(bed_at(f->at, "blobs")), 1);
    assert_int_equal(bed_count(bed_at(f->at, "blobs/sha256")), 6); /* two layers, one config, two manifests, the index */
    snprintf(want, sizeof(want),
             "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_INDEX "\",\"manifests\":[{\"mediaType\":\"" MLR_TYPE_INDEX
             "\",\"digest\":\"%s\",\"size\":%zu,\"annotations\":{\"org.opencontainers.image.ref.name\":\"v1\"}}]}",
             index->self.digest.text, index->json_bytes);
    file = fopen(bed_at(f->at, "index.json"), "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    assert_string_equal(text, want);
    mlr_manifest_free(a);
    mlr_manifest_free(b);
    mlr_manifest_free(index);
}

static void test_layout__a_refused_write_leaves_nothing(void **state)
{
    fixture  *f = *state;
    mlr_blob  b = bed_blob("", "right", 5);
    mlr_manifest *old = bed_image(f->p, "", "layer", NULL), *new = bed_image(f->p, "", "other", NULL);
    int       before;
    bed_tag(f->p, "", "v1", old);
    before = bed_count(bed_at(f->at, "blobs/sha256"));
    bed_assert_rc(bed_try_put(f->p, &b, "wrong", 5, &err), MLREG_EDIGEST);
    bed_assert_rc(bed_try_tag(f->p, "", "v1", false, new, &err), MLREG_EEXISTS);
    assert_int_equal(bed_count(bed_at(f->at, "blobs/sha256")), before);
    mlr_manifest_free(old);
    mlr_manifest_free(new);
}

static void test_layout__answers_to_every_name(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, "team/x", "layer", NULL);
    bed_tag(f->p, "team/x", "v1", m);
    assert_string_equal(bed_at_tag(f->p, "", "v1").text, m->self.digest.text);
    mlr_manifest_free(m);
}

static void test_layout__that_is_new_has_no_artifact_yet(void **state)
{
    fixture  *f = *state;
    mlr_list *l = NULL;
    bed_assert_rc(mlr_place_tags(f->p, "", NULL, &l, &err), 0);
    assert_int_equal(l->n, 0);
    mlr_list_free(l);
    bed_assert_rc(mlr_place_repositories(f->p, NULL, &l, &err), 0);
    assert_int_equal(l->n, 0);
    mlr_list_free(l);
}

/* ---- opening ---- */

static int try_open(fixture *f, const char *location, uint32_t flags, mlreg_error **err)
{
    mlreg_session_options o;
    mlr_place            *p = NULL;
    int                   rc;
    MLREG_INIT(o);
    o.flags = flags;
    rc = mlr_place_open(location, &o, f->rt, NULL, &p, err);
    mlr_place_close(p);
    return rc;
}

static const char *oci(const fixture *f, const char *name)
{
    static char location[600];
    snprintf(location, sizeof(location), "oci:%s", bed_at(f->dir, name));
    return location;
}

static void test_layout__opens_only_what_is_one(void **state)
{
    fixture *f = *state;
    bed_assert_rc(try_open(f, "oci:", MLREG_OPEN_CREATE, &err), MLREG_EINVAL);
    bed_assert_rc(try_open(f, oci(f, "none"), 0, &err), MLREG_ENOTFOUND);
    assert_int_equal(mkdir(bed_at(f->dir, "empty"), 0755), 0);
    bed_assert_rc(try_open(f, oci(f, "empty"), 0, &err), MLREG_ENOTFOUND);
    bed_assert_rc(try_open(f, oci(f, "empty"), MLREG_OPEN_CREATE, &err), 0);
    bed_assert_rc(try_open(f, oci(f, "empty"), 0, &err), 0);
    bed_assert_rc(try_open(f, oci(f, "a/b"), MLREG_OPEN_CREATE, &err), 0);
    bed_write(bed_at(f->dir, "file"), "x");
    bed_assert_rc(try_open(f, oci(f, "file"), MLREG_OPEN_CREATE, &err), MLREG_EPROTO);
    assert_int_equal(mkdir(bed_at(f->dir, "full"), 0755), 0);
    bed_write(bed_at(f->dir, "full/thesis.tex"), "x");
    bed_assert_rc(try_open(f, oci(f, "full"), MLREG_OPEN_CREATE, &err), MLREG_EPROTO);
    assert_int_equal(bed_count(bed_at(f->dir, "full")), 1);
}

static void test_layout__whose_making_was_cut_is_made_again(void **state)
{
    fixture *f = *state;
    for (int n = 1, fired = 1; fired; n++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", n);
        fs_fault_arm(n, 1, EIO);
        int rc = try_open(f, oci(f, name), MLREG_OPEN_CREATE, NULL);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EIO : 0);
        bed_assert_rc(try_open(f, oci(f, name), MLREG_OPEN_CREATE, &err), 0);
    }
}

/* ---- foreign ones ---- */

static void sleep_not(void *user, uint64_t ms)
{
    (void)user;
    (void)ms;
}

static void test_layout__that_is_broken_opens_for_fsck_and_says_so_otherwise(void **state)
{
    static const mlr_clock no_waiting = { .sleep_ms = sleep_not };
    fixture  *f = *state;
    mlr_list *l = NULL;
    mlr_clock_use(&no_waiting);
    close_place(f);
    bed_write(bed_at(f->at, "index.json"), "<html>");
    f->p = bed_open(f->location, 0, f->rt);
    bed_assert_rc(mlr_place_tags(f->p, "", NULL, &l, &err), MLREG_EPROTO);
    bed_assert_rc(mlr_place_fsck(f->p, 0, NULL, &l, &err), 0);
    assert_int_equal(l->n, 1);
    mlr_list_free(l);
}

static void test_layout__foreign_content_is_not_trusted_and_damage_is_found(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image(f->p, "", "layer", NULL), *back = NULL;
    mlr_blob      b = bed_blob("", "layer", 5);
    mlr_ref       tag = { (char *)"", (char *)"v1", { "" } };
    mlr_buf       bytes = MLR_BUF_INIT(100);
    mlr_reader   *r = NULL;
    char          path[128];
    bed_tag(f->p, "", "v1", m);
    bed_assert_rc(mlr_place_blob_open(f->p, &b, NULL, &r, &err), 0);
    assert_false(r->trusted);
    mlr_reader_free(r);
    snprintf(path, sizeof(path), "blobs/sha256/%s", mlr_digest_hex(&b.digest));
    bed_write(bed_at(f->at, path), "LAYER");
    bed_assert_rc(bed_read(f->p, &b, &bytes, &err), MLREG_EDIGEST);
    snprintf(path, sizeof(path), "blobs/sha256/%s", mlr_digest_hex(&m->self.digest));
    m->json[m->json_bytes - 1] = ' ';
    bed_write(bed_at(f->at, path), m->json);
    bed_assert_rc(mlr_place_manifest(f->p, &tag, NULL, &back, &err), MLREG_EDIGEST);
    bed_write(bed_at(f->at, path), "short");
    bed_assert_rc(mlr_place_manifest(f->p, &tag, NULL, &back, &err), MLREG_EDIGEST);
    mlr_buf_done(&bytes);
    mlr_manifest_free(m);
}

static void test_layout__with_a_fifo_link_or_device_for_a_blob_is_an_error_not_a_hang(void **state)
{
    fixture    *f = *state;
    mlr_blob    b = bed_blob("", "layer", 5);
    mlr_reader *r = NULL;
    char        path[128];
    snprintf(path, sizeof(path), "blobs/sha256/%s", mlr_digest_hex(&b.digest));
    assert_int_equal(mkfifo(bed_at(f->at, path), 0644), 0);
    bed_assert_rc(mlr_place_blob_has(f->p, &b, NULL, &err), MLREG_EPROTO);
    bed_assert_rc(mlr_place_blob_open(f->p, &b, NULL, &r, &err), MLREG_EPROTO);
    assert_int_equal(unlink(bed_at(f->at, path)), 0);
    assert_int_equal(symlink("/etc/passwd", bed_at(f->at, path)), 0);
    bed_assert_rc(mlr_place_blob_open(f->p, &b, NULL, &r, &err), MLREG_EDENIED);
    bed_assert_rc(bed_try_put(f->p, &b, "layer", 5, &err), MLREG_EDENIED);
    assert_int_equal(unlink(bed_at(f->at, path)), 0);
    assert_int_equal(rmdir(bed_at(f->at, "blobs/sha256")), 0);
    assert_int_equal(symlink("/tmp", bed_at(f->at, "blobs/sha256")), 0);
    bed_assert_rc(bed_try_put(f->p, &b, "layer", 5, &err), MLREG_EDENIED);
    assert_int_equal(unlink(bed_at(f->at, "blobs/sha256")), 0);
}

int main(void)
{
#define IN_LAYOUT(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_LAYOUT(test_layout__exported_holds_just_what_was_asked_for),
        IN_LAYOUT(test_layout__a_refused_write_leaves_nothing),
        IN_LAYOUT(test_layout__answers_to_every_name),
        IN_LAYOUT(test_layout__that_is_new_has_no_artifact_yet),
        IN_LAYOUT(test_layout__opens_only_what_is_one),
        IN_LAYOUT(test_layout__whose_making_was_cut_is_made_again),
        IN_LAYOUT(test_layout__that_is_broken_opens_for_fsck_and_says_so_otherwise),
        IN_LAYOUT(test_layout__foreign_content_is_not_trusted_and_damage_is_found),
        IN_LAYOUT(test_layout__with_a_fifo_link_or_device_for_a_blob_is_an_error_not_a_hang),
    };
    return cmocka_run_group_tests_name("place/layout", tests, NULL, NULL);
}
