/* place/test_store_shared.c - one store and many processes: nothing is lost, nothing is half, whoever is killed. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "place/index.h"

#define SEED 20261123u

typedef struct fixture {
    char        *dir;
    char         at[512];
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
    mlr_place_close(f->p);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

/* A session of a process of its own. NULL on failure: a child has nobody to tell but its exit status. */
static mlr_place *open_in_child(const fixture *f)
{
    mlreg_session_options o;
    mlr_runtime          *rt = NULL;
    mlr_place            *p = NULL;
    MLREG_INIT(o);
    if (mlr_runtime_new(&(mlr_limits){ 0 }, &rt, NULL) == 0)
        mlr_place_open(f->at, &o, rt, NULL, &p, NULL);
    mlr_runtime_unref(rt);
    return p;
}

static int put_artifact(mlr_place *p, const char *repo, const char *tag, const char *text)
{
    mlr_manifest *m = bed_image_text(text, "t/u", NULL);
    mlr_blob      config = bed_blob(repo, "{}", 2), layer = bed_blob(repo, text, strlen(text));
    int           rc;
    if ((rc = bed_try_put(p, &config, "{}", 2, NULL)) == 0 &&
        (rc = bed_try_put(p, &layer, text, strlen(text), NULL)) == 0)
        rc = bed_try_tag(p, repo, tag, true, m, NULL);
    mlr_manifest_free(m);
    return rc;
}

static void assert_sound(fixture *f)
{
    mlr_list *problems = NULL;
    bed_assert_rc(mlr_place_fsck(f->p, 0, NULL, &problems, &err), 0);
    if (problems->n > 0)
        fail_msg("%zu problems: %s", problems->n, problems->items[0].name);
    mlr_list_free(problems);
}

/* ---- nothing is lost ---- */

enum { WRITERS = 8, TAGS_EACH = 125 };

static int write_tags(const fixture *f, int writer)
{
    mlr_place *p = open_in_child(f);
    char       text[32], tag[32];
    if (p == NULL)
        return 1;
    snprintf(text, sizeof(text), "of writer %d", writer);
    for (int i = 0; i < TAGS_EACH; i++) {
        snprintf(tag, sizeof(tag), "w%d-%d", writer, i);
        if (put_artifact(p, "team/shared", tag, text) < 0 ||
            (i % 10 == 0 && put_artifact(p, "team/shared", "contended", text) < 0))
            return 2;
    }
    mlr_place_close(p);
    return 0;
}

static void test_store__eight_processes_lose_none_of_a_thousand_tags(void **state)
{
    fixture  *f = *state;
    pid_t     writers[WRITERS];
    mlr_list *tags = NULL;
    for (int w = 0; w < WRITERS; w++)
        if ((writers[w] = fork()) == 0)
            _exit(write_tags(f, w));
    for (int w = 0; w < WRITERS; w++) {
        int status;
        assert_int_equal(waitpid(writers[w], &status, 0), writers[w]);
        assert_int_equal(status, 0);
    }
    bed_assert_rc(mlr_place_tags(f->p, "team/shared", NULL, &tags, &err), 0);
    assert_int_equal(tags->n, WRITERS * TAGS_EACH + 1);
    for (int w = 0; w < WRITERS; w++) {
        char          text[32], tag[32];
        mlr_manifest *m;
        snprintf(text, sizeof(text), "of writer %d", w);
        snprintf(tag, sizeof(tag), "w%d-%d", w, TAGS_EACH - 1);
        m = bed_image_text(text, "t/u", NULL);
        assert_string_equal(bed_at_tag(f->p, "team/shared", tag).text, m->self.digest.text);
        mlr_manifest_free(m);
    }
    mlr_list_free(tags);
    assert_sound(f);
}

/* ---- killed at any moment ---- */

enum { KILLS = 40, LAST_US = 12000 };

static void move_tag_forever(const fixture *f, int first, int progress)
{
    mlr_place *p = open_in_child(f);
    for (int i = first;; i++) {
        char text[32];
        snprintf(text, sizeof(text), "artifact %d", i);
        if (p == NULL || put_artifact(p, "team/x", "v1", text) < 0 || write(progress, &i, sizeof(i)) != sizeof(i))
            _exit(1);
    }
}

/* Whether the tag is at the artifact of that number, whole. */
static bool is_at(fixture *f, int number)
{
    char          text[32];
    mlr_manifest *m, *there = NULL;
    mlr_ref       r = { (char *)"team/x", (char *)"v1", { "" } };
    mlr_buf       layer = MLR_BUF_INIT(100);
    mlr_blob      b;
    bool          same;
    snprintf(text, sizeof(text), "artifact %d", number);
    m = bed_image_text(text, "t/u", NULL);
    bed_assert_rc(mlr_place_manifest(f->p, &r, NULL, &there, &err), 0);
    b = (mlr_blob){ "team/x", there->layers[0].digest, there->layers[0].bytes, NULL };
    bed_assert_rc(bed_read(f->p, &b, &layer, &err), 0);
    same = mlr_digest_equal(&m->self.digest, &there->self.digest);
    mlr_buf_done(&layer);
    mlr_manifest_free(m);
    mlr_manifest_free(there);
    return same;
}

static void test_store__killed_at_any_moment_has_the_old_or_the_new(void **state)
{
    fixture *f = *state;
    int      done = 0;
    assert_int_equal(put_artifact(f->p, "team/x", "v1", "artifact 0"), 0);
    print_message("# seed %u\n", SEED);
    srand(SEED);
    for (int kill_n = 0; kill_n < KILLS; kill_n++) {
        int   progress[2], i, status;
        pid_t child;
        assert_int_equal(pipe(progress), 0);
        if ((child = fork()) == 0)
            move_tag_forever(f, done + 1, progress[1]);
        close(progress[1]);
        usleep((useconds_t)(rand() % LAST_US));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(progress[0], &i, sizeof(i)) == sizeof(i))
            done = i;
        close(progress[0]);
        mlr_place_close(f->p);
        f->p = NULL;
        f->p = bed_open(f->at, 0, f->rt);
        if (is_at(f, done + 1))
            done++;
        assert_true(is_at(f, done));
        assert_sound(f);
    }
    assert_true(done > 0);
}

/* ---- whoever only reads ---- */

static int rewrite(const fixture *f)
{
    mlr_place *p = open_in_child(f);
    for (int i = 0; p != NULL && i < 200; i++) {
        char tag[16], text[64];
        snprintf(tag, sizeof(tag), "t%d", i % 20);
        snprintf(text, sizeof(text), "content that is written as number %d", i);
        if (put_artifact(p, "team/x", tag, text) < 0)
            return 1;
    }
    mlr_place_close(p);
    return p == NULL;
}

/* As a tool that knows nothing of locks: opens the file, reads it, believes it. */
static void read_index(const fixture *f)
{
    mlr_buf    text = MLR_BUF_INIT(1 << 20);
    mlr_index *x = NULL;
    bed_assert_rc(mlr_fs_read_file(bed_at(f->at, "team/x/index.json"), &text, &err), 0);
    bed_assert_rc(mlr_index_parse(text.data, text.len, &x, &err), 0);
    mlr_index_free(x);
    mlr_buf_done(&text);
}

/* Every file that has a blob's name has that blob's content, at every moment. */
static void read_blobs(const fixture *f)
{
    DIR *d = opendir(bed_at(f->at, "team/x/blobs/sha256"));
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        mlr_buf    bytes = MLR_BUF_INIT(1 << 16);
        mlr_digest got;
        char       name[512];
        if (strlen(e->d_name) != MLR_DIGEST_HEX)
            continue;
        snprintf(name, sizeof(name), "team/x/blobs/sha256/%.64s", e->d_name);
        bed_assert_rc(mlr_fs_read_file(bed_at(f->at, name), &bytes, &err), 0);
        mlr_digest_of(bytes.data, bytes.len, &got);
        assert_string_equal(mlr_digest_hex(&got), e->d_name);
        mlr_buf_done(&bytes);
    }
    closedir(d);
}

static void test_store__a_reader_never_sees_half_a_file(void **state)
{
    fixture *f = *state;
    pid_t    writer;
    int      status, rounds = 0;
    assert_int_equal(put_artifact(f->p, "team/x", "v1", "first"), 0);
    if ((writer = fork()) == 0)
        _exit(rewrite(f));
    for (; waitpid(writer, &status, WNOHANG) == 0; rounds++) {
        read_index(f);
        read_blobs(f);
    }
    assert_int_equal(status, 0);
    assert_true(rounds > 0);
}

/* ---- begun at the same time ---- */

static void test_store__made_by_many_at_once_is_one_store(void **state)
{
    fixture *f = *state;
    pid_t    makers[WRITERS];
    char     at[600];
    mlr_place *p;
    mlr_list  *tags = NULL;
    snprintf(at, sizeof(at), "%s/new", f->dir);
    for (int w = 0; w < WRITERS; w++)
        if ((makers[w] = fork()) == 0) {
            mlreg_session_options o;
            char                  tag[16];
            MLREG_INIT(o);
            o.flags = MLREG_OPEN_CREATE;
            snprintf(tag, sizeof(tag), "w%d", w);
            if (mlr_place_open(at, &o, f->rt, NULL, &p, NULL) < 0)
                _exit(1);
            _exit(put_artifact(p, "x", tag, tag) < 0 ? 2 : 0);
        }
    for (int w = 0; w < WRITERS; w++) {
        int status;
        assert_int_equal(waitpid(makers[w], &status, 0), makers[w]);
        assert_int_equal(status, 0);
    }
    p = bed_open(at, 0, f->rt);
    bed_assert_rc(mlr_place_tags(p, "x", NULL, &tags, &err), 0);
    assert_int_equal(tags->n, WRITERS);
    mlr_list_free(tags);
    mlr_place_close(p);
}

int main(void)
{
#define IN_STORE(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_STORE(test_store__eight_processes_lose_none_of_a_thousand_tags),
        IN_STORE(test_store__killed_at_any_moment_has_the_old_or_the_new),
        IN_STORE(test_store__a_reader_never_sees_half_a_file),
        IN_STORE(test_store__made_by_many_at_once_is_one_store),
    };
    /* No power is cut here, only processes: memory is as good as a disk, and has no slow syncs. */
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests_name("place/store_shared", tests, NULL, NULL);
}
