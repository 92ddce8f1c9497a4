/* tests/model/build_bed.h - what the tests of builders share: a folder to build from, a place to build in, a model of every kind of file. Include
 * after cmocka.h. */
#ifndef TESTS_MODEL_BUILD_BED_H
#define TESTS_MODEL_BUILD_BED_H
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bed/artifact.h"
#include "bed/dir.h"
#include "model/build.h"
#include "model/weights_bed.h"

#include "model/modelpack.h"
#include "model/weights_bed.h"
#include "place/digests.h"

#define REPO "team/model"

typedef struct fixture {
    char        *dir;
    char        *in, *other;    /* dir/in, dir/other: what is built from */
    mlr_runtime *rt;
    mlr_place   *memory;
} fixture;

static inline int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->dir = bed_dir_new();
    f->in = strdup(bed_at(f->dir, "in"));
    f->other = strdup(bed_at(f->dir, "other"));
    assert_int_equal(mkdir(f->in, 0755), 0);
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &f->rt, NULL), 0);
    f->memory = bed_open("memory:", 0, f->rt);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    fixture *f = *state;

    mlr_place_close(f->memory);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    free(f->in);
    free(f->other);
    free(f);
    return 0;
}

static inline mlr_build *begin(mlr_place *to, const char *artifact_type)
{
    mlr_build *b = NULL;

    bed_assert_rc(mlr_build_new(to, MLREG_BUILD_ARTIFACT, artifact_type, &b, &err), 0);
    return b;
}

static inline int commit(mlr_build *b, const char *tag, mlr_manifest **out, mlreg_error **err)
{
    const mlr_ref      r = { (char *)REPO, (char *)tag, { "" } };
    const mlr_tag_rule rule = { false, { "" } };

    return mlr_build_commit(b, &r, &rule, NULL, 0, NULL, out, err);
}

static inline mlr_manifest *commit_ok(mlr_build *b, const char *tag)
{
    mlr_manifest *m = NULL;

    bed_assert_rc(commit(b, tag, &m, &err), 0);
    assert_non_null(m);
    return m;
}

static inline void write_bytes(const char *path, const bed_bytes *b)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
    assert_int_equal(fclose(f), 0);
}

/* A small model of every kind of file, in `dir`. */
static inline void write_model(const char *dir)
{
    bed_bytes b;

    bed_safetensors(&b, "BF16", 2, 1500, NULL, 0, 0);
    mkdir(dir, 0755);
    mkdir(bed_at(dir, "data"), 0755);
    bed_write(bed_at(dir, "README.md"), "---\nlicense: apache-2.0\n---\n# Model\n");
    bed_write(bed_at(dir, "config.json"), "{\"architectures\":[\"TinyModel\"],\"model_type\":\"tiny\",\"label2id\":{\"A\":0,\"a\":1}}");
    bed_write(bed_at(dir, "data/train.jsonl"), "{\"text\":\"x\"}\n");
    write_bytes(bed_at(dir, "model.safetensors"), &b);
    bed_write(bed_at(dir, "run.py"), "print(1)\n");
    assert_int_equal(chmod(bed_at(dir, "run.py"), 0755), 0);
}

static inline mlr_manifest *build_tree(mlr_place *to, const char *dir, const char *tag)
{
    mlr_build    *b = begin(to, NULL);
    mlr_manifest *m;

    bed_assert_rc(mlr_build_add_tree(b, NULL, dir, NULL, &err), 0);
    m = commit_ok(b, tag);
    mlr_build_free(b);
    return m;
}

static inline void assert_blob(mlr_place *p, const mlr_descriptor *d, const char *text)
{
    mlr_blob b = { REPO, d->digest, d->bytes, NULL };
    mlr_buf  got = MLR_BUF_INIT(1 << 20);

    bed_assert_rc(bed_read(p, &b, &got, &err), 0);
    assert_string_equal(got.data != NULL ? got.data : "", text);
    mlr_buf_done(&got);
}

static inline mlr_json *json_of(const mlr_manifest *m)
{
    mlr_json *j = NULL;

    bed_assert_rc(mlr_json_parse(m->json, m->json_bytes, "manifest", &j, &err), 0);
    return j;
}

static inline const char *text_at(const mlr_json *j, const char *key)
{
    const char *s = mlr_json_string(mlr_json_get(j, key));

    return s != NULL ? s : "(none)";
}

static inline mlreg_layer_options titled(const char *title, const char *type)
{
    return (mlreg_layer_options){ .size = sizeof(mlreg_layer_options), .media_type = type, .title = title };
}

/* Bytes of the test's own. With a `look` it is seen at each read whether the tag is there. */
typedef struct own_bytes { const char *text; atomic_int released; int code; mlr_place *look; int reads, found; } own_bytes;

static inline int64_t read_source(void *user, uint64_t offset, void *buf, size_t len)
{
    own_bytes *s = user;
    size_t n = strlen(s->text);

    s->reads++;
    if (s->look != NULL && bed_at_tag(s->look, REPO, "v1").text[0] != '\0')
        s->found++;
    if (s->code < 0)
        return s->code;
    if (offset >= n)
        return 0;
    n = n - offset < len ? n - (size_t)offset : len;
    memcpy(buf, s->text + offset, n);
    return (int64_t)n;
}

static inline void release_source(void *user)
{
    atomic_fetch_add(&((own_bytes *)user)->released, 1);
}

static inline mlreg_source source_of(own_bytes *s)
{
    return (mlreg_source){ .size = sizeof(mlreg_source), .bytes = strlen(s->text), .user = s, .read_at = read_source, .release = release_source };
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#endif
