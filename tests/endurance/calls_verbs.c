/* endurance/calls_verbs.c - build, push, publish, pull, resume, read and gc, each as a program would do it, and what must hold afterwards. */
#include "calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE_BYTES (17u << 20)      /* so that what came of it is kept when it breaks off */
#define KEPT_BYTES  (9u << 20)
#define PATH        512

static char digest_old[80], digest_new[80], digest_large[80];

/* ---- what may not fail ---- */

static void sure(int rc, mlreg_error *err, const char *what)
{
    if (rc < 0)
        broken("%s: %s", what, mlreg_error_message(err));
    mlreg_error_free(err);
}

static const char *at(const char *dir, const char *name, char out[PATH])
{
    if (snprintf(out, PATH, "%s/%s", dir, name) >= PATH)
        broken("the path of %s is too long", name);
    return out;
}

static void write_file(const char *path, unsigned seed, size_t bytes)
{
    FILE *f = fopen(path, "we");

    for (size_t i = 0; f != NULL && i < bytes; i += sizeof seed) {
        seed = seed * 1664525u + 1013904223u;
        fwrite(&seed, 1, bytes - i < sizeof seed ? bytes - i : sizeof seed, f);
    }
    if (f == NULL || fclose(f) != 0)
        broken("%s cannot be written", path);
}

/* ---- the parts of the verbs ---- */

static int open_store(const ground *g, mlreg_session **out, mlreg_error **err)
{
    mlreg_session_options o;
    char path[PATH];

    MLREG_INIT(o);
    o.flags = MLREG_OPEN_CREATE;
    return mlreg_session_open(at(g->dir, "store", path), &o, out, err);
}

static int open_registry(const ground *g, mlreg_session **out, mlreg_error **err)
{
    mlreg_session_options o;

    MLREG_INIT(o);
    o.max_retries = 1;
    return mlreg_session_open(g->registry, &o, out, err);
}

static int build(mlreg_session *s, const char *folder, const char *ref, mlreg_error **err)
{
    mlreg_builder *b = NULL;
    int rc = mlreg_builder_new(s, MLREG_BUILD_ARTIFACT, NULL, &b, err);

    if (rc == 0 && (rc = mlreg_builder_add_tree(b, NULL, folder, NULL, err)) == 0)
        rc = mlreg_builder_commit(b, ref, NULL, NULL, NULL, err);
    mlreg_builder_free(b);
    return rc;
}

/* Reads every layer from end to end; what a stream gives was checked. */
static int read_all(mlreg_session *s, const char *ref, const char *digest, mlreg_error **err)
{
    static char piece[1 << 16];
    mlreg_artifact *a = NULL;
    int rc = mlreg_session_resolve(s, ref, NULL, NULL, &a, err);

    if (rc == 0 && strcmp(mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_SELF, 0)), digest) != 0)
        broken("%s is another artifact", ref);
    for (size_t i = 0; rc == 0 && i < mlreg_artifact_count(a, MLREG_PART_LAYER); i++) {
        mlreg_stream *stream = NULL;
        uint64_t bytes = 0;
        int64_t n = 0;

        if ((rc = mlreg_stream_open(a, i, NULL, NULL, &stream, err)) < 0)
            break;
        while ((n = mlreg_stream_read(stream, piece, sizeof piece, err)) > 0)
            bytes += (uint64_t)n;
        rc = (int)n;
        if (rc == 0 && bytes != mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_LAYER, i)))
            broken("layer %zu of %s ends after %llu bytes", i, ref, (unsigned long long)bytes);
        mlreg_stream_free(stream);
    }
    mlreg_artifact_free(a);
    return rc;
}

static int copy(const ground *g, bool push, const char *from_ref, const char *as, mlreg_op *op, mlreg_error **err)
{
    mlreg_session *store = NULL, *registry = NULL;
    mlreg_copy_options o;
    int rc = open_store(g, &store, err);

    MLREG_INIT(o);
    if (rc == 0 && (rc = open_registry(g, &registry, err)) == 0)
        rc = mlreg_copy(push ? store : registry, from_ref, push ? registry : store, as, &o, op, NULL, err);
    mlreg_session_free(registry);
    mlreg_session_free(store);
    return rc;
}

static void check_stored(ground *g, const char *ref, const char *digest)
{
    mlreg_session *s = NULL;
    mlreg_error *err = NULL;

    sure(open_store(g, &s, &err), err, "open");
    err = NULL;
    sure(read_all(s, ref, digest, &err), err, ref);
    mlreg_session_free(s);
}

/* ---- before and after ---- */

static void prepare_old(ground *g)
{
    mlreg_session *s = NULL;
    mlreg_error *err = NULL;
    char path[PATH];

    sure(open_store(g, &s, &err), err, "open");
    err = NULL;
    sure(build(s, at(g->shared, "old", path), "old:v1", &err), err, "build old:v1");
    mlreg_session_free(s);
}

static void prepare_both(ground *g)
{
    mlreg_session *s = NULL;
    mlreg_error *err = NULL;
    char path[PATH];

    prepare_old(g);
    sure(open_store(g, &s, &err), err, "open");
    err = NULL;
    sure(build(s, at(g->shared, "new", path), "new:v1", &err), err, "build new:v1");
    mlreg_session_free(s);
}

static void check_new(ground *g)
{
    check_stored(g, "new:v1", digest_new);
}

void verbs_check_store(ground *g)
{
    mlreg_session *s = NULL;
    mlreg_list *problems = NULL;
    mlreg_error *err = NULL;

    sure(open_store(g, &s, &err), err, "open");
    err = NULL;
    sure(mlreg_session_fsck(s, 0, NULL, &problems, &err), err, "fsck");
    if (mlreg_list_count(problems) > 0)
        broken("fsck: %s", mlreg_list_name(problems, 0));
    mlreg_list_free(problems);
    mlreg_session_free(s);
    check_stored(g, "old:v1", digest_old);
}

static int count(const char *dir)
{
    DIR *d = opendir(dir);
    int n = d != NULL ? -2 : 0;

    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

static int sweep(const ground *g, mlreg_error **err)
{
    mlreg_session *s = NULL;
    mlreg_gc_options o;
    mlreg_gc_report report;
    int rc = open_store(g, &s, err);

    MLREG_INIT(o);
    MLREG_INIT(report);
    o.grace_ms = MLREG_NONE;
    if (rc == 0)
        rc = mlreg_session_gc(s, &o, NULL, &report, err);
    mlreg_session_free(s);
    return rc;
}

void verbs_check_swept(ground *g)
{
    mlreg_error *err = NULL;
    char path[PATH];

    sure(sweep(g, &err), err, "gc");
    if (count(at(g->dir, "store/.mlreg/partial", path)) > 0)
        broken("something is left over in %s", path);
    verbs_check_store(g);
}

/* ---- build ---- */

static int act_build(ground *g, mlreg_error **err)
{
    mlreg_session *s = NULL;
    char path[PATH];
    int rc = open_store(g, &s, err);

    if (rc == 0)
        rc = build(s, at(g->shared, "new", path), "new:v1", err);
    mlreg_session_free(s);
    return rc;
}

/* ---- push ---- */

static const char *name_there(const ground *g, char out[PATH])
{
    snprintf(out, PATH, "calls/p%d-%u:v1", (int)getpid(), g->number);
    return out;
}

static int act_push(ground *g, mlreg_error **err)
{
    char name[PATH];

    return copy(g, true, "new:v1", name_there(g, name), NULL, err);
}

/* Straight from the folder. */
static int act_publish(ground *g, mlreg_error **err)
{
    mlreg_session *s = NULL;
    char folder[PATH], name[PATH];
    int rc = open_registry(g, &s, err);

    if (rc == 0)
        rc = build(s, at(g->shared, "new", folder), name_there(g, name), err);
    mlreg_session_free(s);
    return rc;
}

static void check_pushed(ground *g)
{
    mlreg_session *s = NULL;
    mlreg_error *err = NULL;
    char name[PATH];

    sure(open_registry(g, &s, &err), err, "open");
    err = NULL;
    sure(read_all(s, name_there(g, name), digest_new, &err), err, "what was pushed");
    mlreg_session_free(s);
}

/* ---- pull, resume ---- */

static int act_pull(ground *g, mlreg_error **err)
{
    return copy(g, false, "calls/new:v1", "new:v1", NULL, err);
}

static int stop_early(mlreg_op *op, void *user)
{
    mlreg_stats s;

    (void)user;
    MLREG_INIT(s);
    return mlreg_op_stats(op, &s, NULL) == 0 && s.bytes_done > KEPT_BYTES;
}

/* A pull that was cancelled when some of it had come; too quick a machine has all of it, and then there is less to resume. */
static void prepare_broken_off(ground *g)
{
    mlreg_error *err = NULL;
    mlreg_op *op = NULL;
    int rc;

    prepare_old(g);
    sure(mlreg_op_new(&op, &err), err, "op");
    err = NULL;
    mlreg_op_on_progress(op, stop_early, NULL, 1);
    if ((rc = copy(g, false, "calls/large:v1", "large:v1", op, &err)) < 0 && rc != MLREG_ECANCELLED)
        broken("pull: %s", mlreg_error_message(err));
    mlreg_error_free(err);
    mlreg_op_free(op);
}

static int act_resume(ground *g, mlreg_error **err)
{
    return copy(g, false, "calls/large:v1", "large:v1", NULL, err);
}

static void check_large(ground *g)
{
    check_stored(g, "large:v1", digest_large);
}

/* ---- read ---- */

static int act_read(ground *g, mlreg_error **err)
{
    mlreg_session *store = NULL, *registry = NULL;
    mlreg_artifact *a = NULL;
    char path[PATH];
    int rc;

    if ((rc = open_store(g, &store, err)) == 0 && (rc = read_all(store, "new:v1", digest_new, err)) == 0 &&
        (rc = open_registry(g, &registry, err)) == 0 && (rc = read_all(registry, "calls/new:v1", digest_new, err)) == 0 &&
        (rc = mlreg_session_resolve(store, "new:v1", NULL, NULL, &a, err)) == 0)
        rc = mlreg_checkout(a, at(g->dir, "out", path), NULL, NULL, err);
    mlreg_artifact_free(a);
    mlreg_session_free(registry);
    mlreg_session_free(store);
    return rc;
}

/* The folder has the same files: built again, it is the same artifact. */
static void check_read(ground *g)
{
    mlreg_session *s = NULL;
    mlreg_error *err = NULL;
    char path[PATH];

    sure(mlreg_session_open("memory:", NULL, &s, &err), err, "memory");
    err = NULL;
    sure(build(s, at(g->dir, "out", path), "out:v1", &err), err, "build");
    err = NULL;
    sure(read_all(s, "out:v1", digest_new, &err), err, "what was checked out");
    mlreg_session_free(s);
}

/* ---- gc ---- */

static void prepare_garbage(ground *g)
{
    mlreg_session *s = NULL;
    mlreg_error *err = NULL;

    prepare_both(g);
    sure(open_store(g, &s, &err), err, "open");
    err = NULL;
    sure(mlreg_session_delete(s, "new:v1", NULL, &err), err, "delete");
    mlreg_session_free(s);
}

static int act_gc(ground *g, mlreg_error **err)
{
    return sweep(g, err);
}

/* The manifest, the config and the two layers of old:v1 are there, and nothing else. */
static void check_collected(ground *g)
{
    char path[PATH];
    int n = count(at(g->dir, "store/.mlreg/blobs/sha256", path));

    if (n != 4)
        broken("%d blobs are left, not 4", n);
}

const verb verbs[] = {
    { "build", prepare_old, act_build, check_new },
    { "push", prepare_both, act_push, check_pushed },
    { "publish", prepare_old, act_publish, check_pushed },
    { "pull", prepare_old, act_pull, check_new },
    { "resume", prepare_broken_off, act_resume, check_large },
    { "read", prepare_both, act_read, check_read },
    { "gc", prepare_garbage, act_gc, check_collected },
};
const unsigned n_verbs = sizeof verbs / sizeof verbs[0];

/* ---- what all tries use ---- */

static void make_model(const char *shared, const char *name, unsigned seed, size_t bytes, char digest[80])
{
    mlreg_session *s = NULL;
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char folder[PATH], path[PATH];

    if (mkdir(at(shared, name, folder), 0755) != 0)
        broken("%s cannot be made", folder);
    write_file(at(folder, "weights.bin", path), seed, bytes);
    write_file(at(folder, "vocab.txt", path), seed + 1, 3000);
    sure(mlreg_session_open("memory:", NULL, &s, &err), err, "memory");
    err = NULL;
    sure(build(s, folder, "m:v1", &err), err, name);
    err = NULL;
    sure(mlreg_session_resolve(s, "m:v1", NULL, NULL, &a, &err), err, name);
    snprintf(digest, 80, "%s", mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_SELF, 0)));
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

static void fill_registry(const ground *g, const char *name)
{
    mlreg_session *s = NULL;
    mlreg_error *err = NULL;
    char folder[PATH], ref[PATH];

    snprintf(ref, sizeof ref, "calls/%s:v1", name);
    sure(open_registry(g, &s, &err), err, "registry");
    err = NULL;
    sure(build(s, at(g->shared, name, folder), ref, &err), err, ref);
    mlreg_session_free(s);
}

void verbs_begin(const char *registry, const char *shared)
{
    const ground g = { .registry = registry, .shared = shared };

    make_model(shared, "old", 1, 50000, digest_old);
    make_model(shared, "new", 2, 1500000, digest_new);
    make_model(shared, "large", 3, LARGE_BYTES, digest_large);
    fill_registry(&g, "new");
    fill_registry(&g, "large");
}
