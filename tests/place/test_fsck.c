/* place/test_fsck.c - fsck names what is broken, one line each, and mends what can be mended. */
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

#include "base/clock.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "bed/failing_alloc.h"
#include "bed/fs_fault.h"

typedef struct fixture {
    bool         is_layout;
    char        *dir;
    char         at[512], location[600], repo[16];
    const char  *below;   /* of the repository, with a '/' behind it */
    mlr_runtime *rt;
    mlr_place   *p;
    mlr_manifest *m;      /* tagged v1, its layer holds "layer" */
} fixture;

static void sleep_not(void *user, uint64_t ms)
{
    (void)user;
    (void)ms;
}

static int set_up_kind(void **state, bool is_layout)
{
    static const mlr_clock no_waiting = { .sleep_ms = sleep_not };
    fixture *f = calloc(1, sizeof(*f));
    f->is_layout = is_layout;
    f->dir = bed_dir_new();
    snprintf(f->at, sizeof(f->at), "%s", bed_at(f->dir, "place"));
    snprintf(f->location, sizeof(f->location), is_layout ? "oci:%s" : "%s", f->at);
    snprintf(f->repo, sizeof(f->repo), is_layout ? "" : "team/x");
    f->below = is_layout ? "" : "team/x/";
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &f->rt, NULL), 0);
    f->p = bed_open(f->location, MLREG_OPEN_CREATE, f->rt);
    f->m = bed_image(f->p, f->repo, "layer", NULL);
    bed_tag(f->p, f->repo, "v1", f->m);
    mlr_clock_use(&no_waiting);
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
    mlr_manifest_free(f->m);
    mlr_place_close(f->p);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static const char *file_at(const fixture *f, const char *below, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s", below, name);
    return bed_at(f->at, path);
}

static const char *blob_at(const fixture *f, const char *below, const char *text)
{
    char       name[128];
    mlr_digest d;
    mlr_digest_of(text, strlen(text), &d);
    snprintf(name, sizeof(name), "blobs/sha256/%s", mlr_digest_hex(&d));
    return file_at(f, below, name);
}

/* Makes a blob's file hold something else; where it is shared, everywhere. */
static void damage(const char *path, const char *text)
{
    assert_int_equal(chmod(path, 0644), 0);
    bed_write(path, text);
}

static mlr_list *fsck(fixture *f, uint32_t flags)
{
    mlr_list *problems = NULL;
    bed_assert_rc(mlr_place_fsck(f->p, flags, NULL, &problems, &err), 0);
    return problems;
}

/* The place has exactly these problems: for each a word that its line holds. NULL ends them. */
static void assert_problems(fixture *f, uint32_t flags, const char *const *words)
{
    mlr_list *problems = fsck(f, flags);
    size_t    n = 0;
    for (; words[n] != NULL; n++) {
        bool told = false;
        for (size_t i = 0; i < problems->n; i++)
            told = told || strstr(problems->items[i].name, words[n]) != NULL;
        if (!told)
            fail_msg("none of %zu lines says '%s'; the first is '%s'", problems->n, words[n],
                     problems->n > 0 ? problems->items[0].name : "");
    }
    if (problems->n != n)
        fail_msg("%zu problems, not %zu; the last is '%s'", problems->n, n, problems->n > 0
                 ? problems->items[problems->n - 1].name : "");
    mlr_list_free(problems);
}

#define ASSERT_PROBLEMS(f, flags, ...) assert_problems(f, flags, (const char *const[]){ __VA_ARGS__, NULL })
#define ASSERT_SOUND(f) assert_problems(f, 0, (const char *const[]){ NULL })

static void test_fsck__of_a_sound_place_says_nothing(void **state)
{
    ASSERT_SOUND((fixture *)*state);
    assert_problems(*state, MLREG_FSCK_REPAIR, (const char *const[]){ NULL });
}

static void test_fsck__names_content_that_is_wrong_and_moves_it_away(void **state)
{
    fixture    *f = *state;
    const char *where = f->is_layout ? "layout: blob sha256:" : "team/x: blob sha256:";
    const char *quarantine = f->is_layout ? ".mlreg-quarantine" : ".mlreg/quarantine";
    damage(blob_at(f, f->below, "layer"), "LAYER");
    if (f->is_layout) {
        ASSERT_PROBLEMS(f, 0, where);
        ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "moved to quarantine", "is missing");
    } else {
        ASSERT_PROBLEMS(f, 0, where, "store: blob sha256:");
        ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "team/x: blob", "store: blob", "is missing");
    }
    assert_int_equal(bed_count(bed_at(f->at, quarantine)), 1);
    ASSERT_PROBLEMS(f, 0, "is missing");
    assert_int_equal(bed_has(f->p, f->repo, "layer"), 0);
    bed_put(f->p, f->repo, "layer");
    ASSERT_SOUND(f);
}

static void test_fsck__tells_what_the_content_is_instead(void **state)
{
    fixture   *f = *state;
    mlr_digest d;
    mlr_digest_of("LAYER", 5, &d);
    damage(blob_at(f, f->below, "layer"), "LAYER");
    mlr_list *problems = fsck(f, 0);
    assert_non_null(strstr(problems->items[0].name, d.text));
    mlr_list_free(problems);
}

static void test_fsck__finds_a_damaged_manifest_and_goes_on(void **state)
{
    fixture *f = *state;
    char    *text = strdup(f->m->json);
    text[10] ^= 1;
    damage(blob_at(f, f->below, f->m->json), text);
    unlink(blob_at(f, f->below, "{}"));
    if (f->is_layout)
        ASSERT_PROBLEMS(f, 0, "content is");
    else
        ASSERT_PROBLEMS(f, 0, "team/x: blob", "store: blob");
    free(text);
}

static void test_fsck__names_what_is_missing(void **state)
{
    fixture *f = *state;
    assert_int_equal(unlink(blob_at(f, f->below, "layer")), 0);
    if (!f->is_layout)
        assert_int_equal(unlink(blob_at(f, ".mlreg/", "layer")), 0);
    ASSERT_PROBLEMS(f, 0, f->m->self.digest.text);
    ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "is missing");
}

static void test_fsck__links_again_what_the_store_still_has(void **state)
{
    fixture *f = *state;
    assert_int_equal(unlink(blob_at(f, f->below, "layer")), 0);
    ASSERT_PROBLEMS(f, 0, "is missing, but the store has it");
    ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "linked again");
    ASSERT_SOUND(f);
    bed_assert_file(blob_at(f, f->below, "layer"), "layer");
}

static void test_fsck__puts_the_stores_copy_in_place_of_a_bad_one(void **state)
{
    fixture *f = *state;
    assert_int_equal(unlink(blob_at(f, f->below, "layer")), 0);
    bed_write(blob_at(f, f->below, "layer"), "LAYER"); /* as another tool may have put it there */
    ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "linked in its place");
    ASSERT_SOUND(f);
    bed_assert_file(blob_at(f, f->below, "layer"), "layer");
}

static void test_fsck__takes_sound_content_of_others_into_the_pool(void **state)
{
    fixture *f = *state;
    bed_write(blob_at(f, f->below, "of another tool"), "of another tool");
    ASSERT_SOUND(f);
    assert_false(bed_exists(blob_at(f, ".mlreg/", "of another tool")));
    assert_problems(f, MLREG_FSCK_REPAIR, (const char *const[]){ NULL });
    bed_assert_file(blob_at(f, ".mlreg/", "of another tool"), "of another tool");
}

static void test_fsck__restores_an_emptied_index(void **state)
{
    fixture *f = *state;
    bed_write(file_at(f, f->below, "index.json"), "");
    ASSERT_PROBLEMS(f, 0, "index.json");
    if (f->is_layout) {
        ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "nothing to restore it from");
        bed_assert_file(file_at(f, f->below, "index.json"), "");
    } else {
        ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "restored as it was last written here");
        assert_string_equal(bed_at_tag(f->p, f->repo, "v1").text, f->m->self.digest.text);
        ASSERT_SOUND(f);
    }
}

static void test_fsck__restores_an_index_that_is_gone(void **state)
{
    fixture *f = *state;
    assert_int_equal(unlink(file_at(f, f->below, "index.json")), 0);
    ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "restored as it was last written here");
    assert_int_equal(unlink(file_at(f, f->below, "index.json")), 0);
    assert_int_equal(unlink(file_at(f, f->below, "oci-layout")), 0);
    ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "restored as it was last written here", "written anew");
    assert_string_equal(bed_at_tag(f->p, f->repo, "v1").text, f->m->self.digest.text);
    ASSERT_SOUND(f);
}

static int no_reading(mlr_fs_call call, const char *name, void *user)
{
    return call == MLR_FS_READ && strstr(name, user) != NULL ? EIO : 0;
}

static void test_fsck__tells_what_it_cannot_read_and_leaves_it_there(void **state)
{
    fixture   *f = *state;
    mlr_digest d;
    mlr_digest_of("layer", 5, &d);
    mlr_fs_use(no_reading, (void *)mlr_digest_hex(&d));
    if (f->is_layout)
        ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "layout: blob sha256:");
    else
        ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "store: blob sha256:", "team/x: blob sha256:");
    mlr_fs_use(NULL, NULL);
    ASSERT_SOUND(f);
}

/* Whatever fails meanwhile: an error, or a line; and afterwards all is as sound as it was. */
static void test_fsck__harms_nothing_whatever_fails(void **state)
{
    fixture *f = *state;
    for (int n = 1, fired = 1; fired; n++) {
        mlr_list    *problems = NULL;
        mlreg_error *err = NULL;
        fs_fault_arm(n, 0, EIO);
        int rc = mlr_place_fsck(f->p, MLREG_FSCK_REPAIR, NULL, &problems, &err);
        fired = fs_fault_disarm();
        assert_int_equal(err != NULL, rc < 0);
        assert_int_equal(problems != NULL, rc == 0);
        mlr_list_free(problems);
        mlr_error_done(err);
        ASSERT_SOUND(f);
    }
}

static void test_fsck__says_so_when_memory_is_out(void **state)
{
    fixture *f = *state;
    bool     fired = true;
    for (int n = 1; fired; n++) {
        failing_alloc a;
        mlr_list     *problems = NULL;
        mlreg_error  *err = NULL;
        failing_alloc_arm(&a, n, true);
        int rc = mlr_place_fsck(f->p, MLREG_FSCK_REPAIR, NULL, &problems, &err);
        fired = failing_alloc_disarm(&a);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        mlr_list_free(problems);
        mlr_error_done(err);
    }
    ASSERT_SOUND(f);
}

static void test_fsck__mends_the_layout_file(void **state)
{
    static const char *const damages[] = { "", "{\"imageLayoutVersion\":1}", NULL };
    fixture *f = *state;
    for (size_t i = 0; i < 3; i++) {
        const char *path = file_at(f, f->below, "oci-layout");
        if (damages[i] != NULL)
            bed_write(path, damages[i]);
        else
            assert_int_equal(unlink(path), 0);
        ASSERT_PROBLEMS(f, MLREG_FSCK_REPAIR, "oci-layout");
        ASSERT_SOUND(f);
    }
    assert_string_equal(bed_at_tag(f->p, f->repo, "v1").text, f->m->self.digest.text);
}

static void test_fsck__names_links_and_fifos_among_the_blobs(void **state)
{
    fixture *f = *state;
    char     link_name[128] = "blobs/sha256/";
    memset(link_name + strlen(link_name), 'a', 64);
    assert_int_equal(symlink("/etc/passwd", file_at(f, f->below, link_name)), 0);
    assert_int_equal(unlink(blob_at(f, f->below, "layer")), 0);
    assert_int_equal(mkfifo(blob_at(f, f->below, "layer"), 0644), 0);
    ASSERT_PROBLEMS(f, 0, "is a link", "is a FIFO");
}

static void test_fsck__names_a_folder_in_a_blobs_place(void **state)
{
    fixture *f = *state;
    assert_int_equal(unlink(blob_at(f, f->below, "layer")), 0);
    assert_int_equal(mkdir(blob_at(f, f->below, "layer"), 0755), 0);
    ASSERT_PROBLEMS(f, 0, "is a directory");
}

/* Whoever put a file there may have named it for the terminal of whoever reads the list, or so that it looks like two lines. */
static void test_fsck__says_each_problem_in_one_line_of_text(void **state)
{
    fixture *f = *state;
    assert_int_equal(symlink("x", file_at(f, f->below, "blobs/sha256/a\nlayout: \033[2J\xff\xc2\x9b\xc3\xa9")), 0);
    ASSERT_PROBLEMS(f, 0, ": blobs/sha256/a?layout: ?[2J??\xc3\xa9 is a link");
}

static void test_fsck__tells_when_a_size_disagrees(void **state)
{
    fixture *f = *state;
    char     text[1024];
    snprintf(text, sizeof(text),
             "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"digest\":\"%s\",\"size\":7}]}", f->m->self.digest.text);
    bed_write(file_at(f, f->below, "index.json"), text);
    ASSERT_PROBLEMS(f, 0, "index.json says 7");
}

static void test_fsck__ignores_what_is_nobodys_affair(void **state)
{
    fixture *f = *state;
    bed_write(file_at(f, f->below, "README"), "extra files are legal");
    bed_write(file_at(f, f->below, "blobs/sha256/not-a-digest"), "here too");
    assert_int_equal(mkdir(file_at(f, f->below, "blobs/sha512"), 0755), 0);
    bed_write(blob_at(f, f->below, "unnamed"), "unnamed");
    ASSERT_SOUND(f);
}

static void test_fsck__counts_what_it_reads(void **state)
{
    fixture    *f = *state;
    mlreg_op   *remote = NULL;
    mlr_op     *op = NULL;
    mlreg_stats stats;
    mlr_list   *problems = NULL;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    bed_assert_rc(mlr_place_fsck(f->p, 0, op, &problems, &err), 0);
    mlr_remote_stats(remote, &stats);
    assert_true(stats.bytes_done == 2 + 5 + f->m->json_bytes && stats.bytes_total == stats.bytes_done);
    mlr_remote_cancel(remote);
    mlr_list_free(problems);
    problems = NULL;
    bed_assert_rc(mlr_place_fsck(f->p, 0, op, &problems, &err), MLREG_ECANCELLED);
    assert_null(problems);
    mlr_op_end(op);
    mlr_remote_free(remote);
}

int main(void)
{
#define IN_BOTH(t) { "store: " #t, t, set_up_store, tear_down, NULL }, { "layout: " #t, t, set_up_layout, tear_down, NULL }
#define IN_STORE(t) { "store: " #t, t, set_up_store, tear_down, NULL }
    const struct CMUnitTest tests[] = {
        IN_BOTH(test_fsck__of_a_sound_place_says_nothing),
        IN_BOTH(test_fsck__names_content_that_is_wrong_and_moves_it_away),
        IN_BOTH(test_fsck__tells_what_the_content_is_instead),
        IN_BOTH(test_fsck__finds_a_damaged_manifest_and_goes_on),
        IN_BOTH(test_fsck__names_what_is_missing),
        IN_STORE(test_fsck__links_again_what_the_store_still_has),
        IN_STORE(test_fsck__puts_the_stores_copy_in_place_of_a_bad_one),
        IN_STORE(test_fsck__takes_sound_content_of_others_into_the_pool),
        IN_BOTH(test_fsck__restores_an_emptied_index),
        IN_STORE(test_fsck__restores_an_index_that_is_gone),
        IN_BOTH(test_fsck__tells_what_it_cannot_read_and_leaves_it_there),
        IN_BOTH(test_fsck__harms_nothing_whatever_fails),
        IN_BOTH(test_fsck__says_so_when_memory_is_out),
        IN_BOTH(test_fsck__mends_the_layout_file),
        IN_BOTH(test_fsck__names_links_and_fifos_among_the_blobs),
        IN_BOTH(test_fsck__names_a_folder_in_a_blobs_place),
        IN_BOTH(test_fsck__says_each_problem_in_one_line_of_text),
        IN_BOTH(test_fsck__tells_when_a_size_disagrees),
        IN_BOTH(test_fsck__ignores_what_is_nobodys_affair),
        IN_BOTH(test_fsck__counts_what_it_reads),
    };
    return cmocka_run_group_tests_name("place/fsck", tests, NULL, NULL);
}
