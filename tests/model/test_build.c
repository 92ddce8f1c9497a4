/* tests/model/test_build.c - one manifest in the making, in memory, in a store and in a layout. */
#include "model/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "bed/odd_place.h"
#include "model/modelpack.h"
#include "model/weights_bed.h"
#include "place/digests.h"

#define REPO "team/model"
#define MODELPACK "application/vnd.cncf.model."

typedef struct fixture {
    char        *dir;
    char        *in, *other;    /* dir/in, dir/other: what is built from */
    mlr_runtime *rt;
    mlr_place   *memory;
} fixture;

static int set_up(void **state)
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

static int tear_down(void **state)
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

static mlr_build *begin(mlr_place *to, const char *artifact_type)
{
    mlr_build *b = NULL;

    bed_assert_rc(mlr_build_new(to, MLREG_BUILD_ARTIFACT, artifact_type, &b, &err), 0);
    return b;
}

static int commit(mlr_build *b, const char *tag, mlr_manifest **out, mlreg_error **err)
{
    const mlr_ref      r = { (char *)REPO, (char *)tag, { "" } };
    const mlr_tag_rule rule = { false, { "" } };

    return mlr_build_commit(b, &r, &rule, NULL, 0, NULL, out, err);
}

static mlr_manifest *commit_ok(mlr_build *b, const char *tag)
{
    mlr_manifest *m = NULL;

    bed_assert_rc(commit(b, tag, &m, &err), 0);
    assert_non_null(m);
    return m;
}

static void write_bytes(const char *path, const bed_bytes *b)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
    assert_int_equal(fclose(f), 0);
}

/* A small model of every kind of file, in `dir`. */
static void write_model(const char *dir)
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

static mlr_manifest *build_tree(mlr_place *to, const char *dir, const char *tag)
{
    mlr_build    *b = begin(to, NULL);
    mlr_manifest *m;

    bed_assert_rc(mlr_build_add_tree(b, NULL, dir, NULL, &err), 0);
    m = commit_ok(b, tag);
    mlr_build_free(b);
    return m;
}

static void assert_blob(mlr_place *p, const mlr_descriptor *d, const char *text)
{
    mlr_blob b = { REPO, d->digest, d->bytes, NULL };
    mlr_buf  got = MLR_BUF_INIT(1 << 20);

    bed_assert_rc(bed_read(p, &b, &got, &err), 0);
    assert_string_equal(got.data != NULL ? got.data : "", text);
    mlr_buf_done(&got);
}

static mlr_json *json_of(const mlr_manifest *m)
{
    mlr_json *j = NULL;

    bed_assert_rc(mlr_json_parse(m->json, m->json_bytes, "manifest", &j, &err), 0);
    return j;
}

static const char *text_at(const mlr_json *j, const char *key)
{
    const char *s = mlr_json_string(mlr_json_get(j, key));

    return s != NULL ? s : "(none)";
}

/* ---- what ModelPack v0.0.7 demands ---- */

static void test_build__manifest_is_a_modelpack(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m;
    mlr_json     *j;

    write_model(f->in);
    m = build_tree(f->memory, f->in, "v1");
    j = json_of(m);
    assert_string_equal(text_at(j, "mediaType"), "application/vnd.oci.image.manifest.v1+json");
    assert_string_equal(text_at(j, "artifactType"), MODELPACK "manifest.v1+json");
    assert_string_equal(text_at(mlr_json_get(j, "config"), "mediaType"), MODELPACK "config.v1+json");
    assert_int_equal(mlr_json_count(mlr_json_get(j, "layers")), 5);
    assert_null(mlr_json_get(j, "subject"));
    assert_null(mlr_json_get(j, "annotations"));
    mlr_json_free(j);
    mlr_manifest_free(m);
}

static void test_build__layers_have_the_type_of_their_kind_and_the_name_of_their_file(void **state)
{
    static const struct { const char *title, *type; uint64_t mode; } want[] = {
        { "README.md", MODELPACK "doc.v1.raw", 0644 }, { "config.json", MODELPACK "weight.config.v1.raw", 0644 },
        { "data/train.jsonl", MODELPACK "dataset.v1.raw", 0644 }, { "model.safetensors", MODELPACK "weight.v1.raw", 0644 },
        { "run.py", MODELPACK "code.v1.raw", 0755 } };
    fixture      *f = *state;
    mlr_manifest *m;

    write_model(f->in);
    m = build_tree(f->memory, f->in, "v1");
    assert_int_equal(m->n_layers, 5);
    for (size_t i = 0; i < 5; i++) {
        const mlr_descriptor *d = &m->layers[i];
        const char           *metadata = mlr_descriptor_annotation(d, "org.cncf.model.file.metadata+json");
        const char           *slash = strrchr(want[i].title, '/');
        mlr_json             *j = NULL;
        uint64_t              mode = 0, bytes = 0, type = 0;

        assert_string_equal(d->media_type, want[i].type);
        assert_string_equal(mlr_descriptor_annotation(d, "org.opencontainers.image.title"), want[i].title);
        assert_string_equal(mlr_descriptor_annotation(d, "org.cncf.model.filepath"), want[i].title);
        bed_assert_rc(mlr_json_parse(metadata, strlen(metadata), "metadata", &j, &err), 0);
        assert_string_equal(text_at(j, "name"), slash != NULL ? slash + 1 : want[i].title);
        assert_true(mlr_json_u64(mlr_json_get(j, "mode"), &mode) && mode == want[i].mode);
        assert_true(mlr_json_u64(mlr_json_get(j, "size"), &bytes) && bytes == d->bytes);
        assert_true(mlr_json_u64(mlr_json_get(j, "typeflag"), &type) && type == '0');
        mlr_json_free(j);
    }
    mlr_manifest_free(m);
}

static void test_build__config_is_filled_from_the_files(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m;
    char          want[2048];

    write_model(f->in);
    m = build_tree(f->memory, f->in, "v1");
    snprintf(want, sizeof want, "{\"descriptor\":{\"family\":\"tiny\",\"licenses\":[\"Apache-2.0\"]},\"modelfs\":{\"type\":\"layers\",\"diffIds\":["
        "\"%s\",\"%s\",\"%s\",\"%s\",\"%s\"]},\"config\":{\"architecture\":\"TinyModel\",\"format\":\"safetensors\",\"paramSize\":\"1.5k\","
        "\"precision\":\"bf16\"}}", m->layers[0].digest.text, m->layers[1].digest.text, m->layers[2].digest.text, m->layers[3].digest.text,
        m->layers[4].digest.text);
    assert_blob(f->memory, m->config, want);
    mlr_manifest_free(m);
}

static void test_build__layer_is_its_file_byte_for_byte(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m;

    bed_write(bed_at(f->in, "a.txt"), "some text");
    bed_write(bed_at(f->in, "empty.txt"), "");
    m = build_tree(f->memory, f->in, "v1");
    assert_blob(f->memory, &m->layers[0], "some text");
    assert_string_equal(mlr_descriptor_title(&m->layers[1]), "empty.txt");
    assert_int_equal(m->layers[1].bytes, 0);
    assert_blob(f->memory, &m->layers[1], "");
    mlr_manifest_free(m);
}

/* ---- places ---- */

static void test_build__gives_the_same_in_every_place(void **state)
{
    fixture    *f = *state;
    mlr_digest  first = { "" };
    char        locations[3][600];

    write_model(f->in);
    snprintf(locations[0], sizeof locations[0], "memory:");
    snprintf(locations[1], sizeof locations[1], "%s", bed_at(f->dir, "store"));
    snprintf(locations[2], sizeof locations[2], "oci:%s", bed_at(f->dir, "layout"));
    for (size_t i = 0; i < 3; i++) {
        mlr_place    *p = bed_open(locations[i], MLREG_OPEN_CREATE, f->rt);
        mlr_manifest *m = build_tree(p, f->in, "v1");
        mlr_digest    at = bed_at_tag(p, REPO, "v1");

        assert_string_equal(at.text, m->self.digest.text);
        for (size_t k = 0; k < m->n_layers; k++) {
            mlr_blob b = { REPO, m->layers[k].digest, m->layers[k].bytes, NULL };
            assert_int_equal(mlr_place_blob_has(p, &b, NULL, NULL), 1);
        }
        if (i == 0)
            first = at;
        assert_string_equal(at.text, first.text);
        mlr_manifest_free(m);
        mlr_place_close(p);
    }
}

static void test_build__refuses_a_place_that_is_read_only(void **state)
{
    fixture   *f = *state;
    mlr_build *b = NULL;
    mlr_place *p = bed_open(bed_at(f->dir, "store"), MLREG_OPEN_CREATE, f->rt);

    mlr_place_close(p);
    p = bed_open(bed_at(f->dir, "store"), MLREG_OPEN_READONLY, f->rt);
    bed_assert_rc(mlr_build_new(p, MLREG_BUILD_ARTIFACT, NULL, &b, &err), MLREG_EDENIED);
    assert_null(b);
    bed_assert_rc(mlr_build_new(f->memory, 77, NULL, &b, &err), MLREG_EINVAL);
    assert_null(b);
    mlr_place_close(p);
}

/* ---- the same input ---- */

static void test_build__gives_the_same_digest_wherever_and_whenever_the_files_are(void **state)
{
    fixture              *f = *state;
    const struct timespec old[2] = { { 86400, 0 }, { 86400, 1 } };
    mlr_manifest         *m, *again;

    write_model(f->in);
    m = build_tree(f->memory, f->in, "v1");
    write_model(f->other);
    assert_int_equal(utimensat(AT_FDCWD, bed_at(f->other, "model.safetensors"), old, 0), 0);
    assert_int_equal(chmod(bed_at(f->other, "config.json"), 0600), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(bed_at(f->other, "README.md"), 12345, 12345), 0);
    again = build_tree(f->memory, f->other, "v2");
    assert_string_equal(again->self.digest.text, m->self.digest.text);
    mlr_manifest_free(m);
    mlr_manifest_free(again);
}

static void test_build__gives_another_digest_for_another_byte(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m, *other;

    write_model(f->in);
    m = build_tree(f->memory, f->in, "v1");
    bed_write(bed_at(f->in, "run.py"), "print(2)\n");
    other = build_tree(f->memory, f->in, "v2");
    assert_string_not_equal(other->self.digest.text, m->self.digest.text);
    mlr_manifest_free(m);
    mlr_manifest_free(other);
}

/* ---- adding ---- */

static mlreg_layer_options titled(const char *title, const char *type)
{
    return (mlreg_layer_options){ .size = sizeof(mlreg_layer_options), .media_type = type, .title = title };
}

static void test_build__file_is_named_by_its_last_part_or_as_told(void **state)
{
    fixture            *f = *state;
    mlreg_layer_options o = titled("sub/renamed.bin", "application/x-mine");
    mlr_build          *b = begin(f->memory, NULL);
    mlr_manifest       *m;

    bed_write(bed_at(f->in, "a.txt"), "text");
    bed_assert_rc(mlr_build_add_file(b, NULL, bed_at(f->in, "a.txt"), NULL, &err), 0);
    bed_assert_rc(mlr_build_add_file(b, &o, bed_at(f->in, "a.txt"), NULL, &err), 0);
    m = commit_ok(b, "v1");
    assert_string_equal(mlr_descriptor_title(&m->layers[0]), "a.txt");
    assert_string_equal(mlr_descriptor_title(&m->layers[1]), "sub/renamed.bin");
    assert_string_equal(m->layers[1].media_type, "application/x-mine");
    mlr_manifest_free(m);
    mlr_build_free(b);
}

static void test_build__tree_is_put_behind_a_prefix(void **state)
{
    fixture            *f = *state;
    mlreg_layer_options o = titled("models/x", NULL);
    mlr_build          *b = begin(f->memory, NULL);
    mlr_manifest       *m;

    bed_write(bed_at(f->in, "a.txt"), "text");
    bed_assert_rc(mlr_build_add_tree(b, &o, f->in, NULL, &err), 0);
    m = commit_ok(b, "v1");
    assert_string_equal(mlr_descriptor_title(&m->layers[0]), "models/x/a.txt");
    mlr_manifest_free(m);
    mlr_build_free(b);
}

/* Bytes of the test's own. With a `look` it is seen at each read whether the tag is there. */
typedef struct bytes { const char *text; atomic_int released; int code; mlr_place *look; int reads, found; } bytes;

static int64_t read_source(void *user, uint64_t offset, void *buf, size_t len)
{
    bytes *s = user;
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

static void release_source(void *user)
{
    atomic_fetch_add(&((bytes *)user)->released, 1);
}

static mlreg_source source_of(bytes *s)
{
    return (mlreg_source){ .size = sizeof(mlreg_source), .bytes = strlen(s->text), .user = s, .read_at = read_source, .release = release_source };
}

static void test_build__source_is_read_and_released_once(void **state)
{
    fixture            *f = *state;
    bytes               s = { .text = "from memory" };
    mlreg_source        source = source_of(&s);
    mlreg_layer_options o = titled("x.txt", NULL);
    mlr_build          *b = begin(f->memory, NULL);
    mlr_manifest       *m;

    bed_assert_rc(mlr_build_add_source(b, &o, &source, NULL, &err), 0);
    m = commit_ok(b, "v1");
    assert_blob(f->memory, &m->layers[0], "from memory");
    assert_string_equal(mlr_descriptor_title(&m->layers[0]), "x.txt");
    mlr_manifest_free(m);
    mlr_build_free(b);
    assert_int_equal(s.released, 1);
}

static void test_build__source_is_released_once_without_a_commit_too(void **state)
{
    fixture            *f = *state;
    bytes               s = { .text = "unused" }, refused = { .text = "refused" };
    mlreg_source        source = source_of(&s), bad = source_of(&refused);
    mlreg_layer_options o = titled("x.txt", NULL), out = titled("../x", NULL);
    mlr_build          *b = begin(f->memory, NULL);

    bed_assert_rc(mlr_build_add_source(b, &o, &source, NULL, &err), 0);
    bed_assert_rc(mlr_build_add_source(b, NULL, &bad, NULL, &err), MLREG_EINVAL); /* no title */
    assert_int_equal(refused.released, 1);
    bed_assert_rc(mlr_build_add_source(b, &out, &bad, NULL, &err), MLREG_EINVAL);
    assert_int_equal(refused.released, 2);
    mlr_build_free(b);
    assert_int_equal(s.released, 1);
    assert_int_equal(refused.released, 2);
}

static void test_build__source_that_fails_fails_the_commit_with_its_code(void **state)
{
    fixture            *f = *state;
    bytes               s = { .text = "bytes", .code = MLREG_ENET };
    mlreg_source        source = source_of(&s);
    mlreg_layer_options o = titled("x.txt", NULL);
    mlr_build          *b = begin(f->memory, NULL);
    mlr_manifest       *m = NULL;

    bed_assert_rc(mlr_build_add_source(b, &o, &source, NULL, &err), 0);
    bed_assert_rc(commit(b, "v1", &m, &err), MLREG_ENET);
    assert_null(m);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
    mlr_build_free(b);
}

static void test_build__source_shorter_than_it_said_is_an_error(void **state)
{
    fixture            *f = *state;
    bytes               s = { .text = "bytes" };
    mlreg_source        source = source_of(&s);
    mlreg_layer_options o = titled("x.txt", NULL);
    mlr_build          *b = begin(f->memory, NULL);
    mlr_manifest       *m = NULL;
    mlreg_error        *why = NULL;

    source.bytes += 1;
    bed_assert_rc(mlr_build_add_source(b, &o, &source, NULL, &err), 0);
    assert_true(commit(b, "v1", &m, &why) < 0);
    assert_string_equal(why->subject, "x.txt");
    mlr_error_done(why);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
    mlr_build_free(b);
}

static void test_build__refuses_what_cannot_be_added(void **state)
{
    fixture   *f = *state;
    mlr_build *b = begin(f->memory, NULL);

    bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), MLREG_EINVAL); /* empty */
    bed_assert_rc(mlr_build_add_tree(b, NULL, bed_at(f->in, "none"), NULL, &err), MLREG_ENOTFOUND);
    bed_assert_rc(mlr_build_add_file(b, NULL, bed_at(f->in, "none"), NULL, &err), MLREG_ENOTFOUND);
    bed_assert_rc(mlr_build_add_file(b, NULL, f->in, NULL, &err), MLREG_EINVAL);
    mlr_build_free(b);
}

static void test_build__refuses_titles_that_lead_elsewhere(void **state)
{
    static const char *const hostile[] = { "", "/etc/passwd", "../x", "a/../x", "a//b", "./a", "a/", "a\\b", "a\nb", "\xff", "a/." };
    fixture                 *f = *state;
    mlr_build               *b = begin(f->memory, NULL);

    bed_write(bed_at(f->in, "a.txt"), "text");
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        mlreg_layer_options o = titled(hostile[i], NULL);
        int                 rc = mlr_build_add_file(b, &o, bed_at(f->in, "a.txt"), NULL, NULL);

        if (rc != MLREG_EINVAL)
            fail_msg("\"%s\" gave %d", hostile[i], rc);
    }
    mlr_build_free(b);
}

static void test_build__refuses_titles_that_clash(void **state)
{
    static const char *const pairs[][2] = { { "a.txt", "a.txt" }, { "a.txt", "A.TXT" }, { "a", "a/b" } };
    fixture                 *f = *state;

    bed_write(bed_at(f->in, "a.txt"), "text");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        mlr_build    *b = begin(f->memory, NULL);
        mlr_manifest *m = NULL;

        for (size_t k = 0; k < 2; k++) {
            mlreg_layer_options o = titled(pairs[i][k], NULL);
            bed_assert_rc(mlr_build_add_file(b, &o, bed_at(f->in, "a.txt"), NULL, &err), 0);
        }
        bed_assert_rc(commit(b, "v1", &m, &err), MLREG_EINVAL);
        assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
        mlr_build_free(b);
    }
}

/* ---- other artifacts ---- */

#define EMPTY_TYPE "application/vnd.oci.empty.v1+json"

static void test_build__other_artifact_has_ocis_empty_config(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, "application/x-evaluation");
    mlr_manifest *m;

    bed_write(bed_at(f->in, "result.json"), "{}");
    bed_assert_rc(mlr_build_add_file(b, NULL, bed_at(f->in, "result.json"), NULL, &err), 0);
    m = commit_ok(b, "v1");
    assert_string_equal(m->self.artifact_type, "application/x-evaluation");
    assert_string_equal(m->config->media_type, EMPTY_TYPE);
    assert_string_equal(m->config->digest.text, BED_EMPTY);
    assert_int_equal(m->config->bytes, 2);
    assert_blob(f->memory, m->config, "{}");
    mlr_manifest_free(m);
    mlr_build_free(b);
}

static void test_build__config_alone_comes_with_ocis_empty_layer(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, "application/x-note");
    mlr_manifest *m;

    bed_assert_rc(mlr_build_config(b, "application/x-first", "1", 1, &err), 0);
    bed_assert_rc(mlr_build_config(b, "application/x-note.config", "{\"a\":1}", 7, &err), 0); /* takes the other's place */
    m = commit_ok(b, "v1");
    assert_string_equal(m->config->media_type, "application/x-note.config");
    assert_blob(f->memory, m->config, "{\"a\":1}");
    assert_int_equal(m->n_layers, 1);
    assert_string_equal(m->layers[0].media_type, EMPTY_TYPE);
    assert_string_equal(m->layers[0].digest.text, BED_EMPTY);
    assert_blob(f->memory, &m->layers[0], "{}");
    mlr_manifest_free(m);
    mlr_build_free(b);
}

static void test_build__config_is_limited(void **state)
{
    fixture   *f = *state;
    size_t     limit = 16u << 20;
    char      *zeros = calloc(1, limit + 1);
    mlr_build *b = begin(f->memory, NULL);

    assert_non_null(zeros);
    bed_assert_rc(mlr_build_config(b, "application/x", zeros, limit, &err), 0);
    bed_assert_rc(mlr_build_config(b, "application/x", zeros, limit + 1, &err), MLREG_ELIMIT);
    mlr_build_free(b);
    free(zeros);
}

static void test_build__of_nothing_is_refused(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, NULL);
    mlr_manifest *m = NULL;

    bed_assert_rc(commit(b, "v1", &m, &err), MLREG_EINVAL);
    assert_null(m);
    mlr_build_free(b);
}

/* A file that does not add up is data like any other where no config is made from it. */
static void test_build__malformed_weights_are_refused_in_a_modelpack_alone(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, NULL);
    mlr_manifest *m = NULL;
    mlreg_error  *why = NULL;
    bed_bytes     x;

    bed_safetensors(&x, "F32", 4, 10, NULL, 0, 0);
    x.len--;
    write_bytes(bed_at(f->in, "bad.safetensors"), &x);
    bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), 0);
    assert_int_equal(commit(b, "v1", &m, &why), MLREG_EPROTO);
    assert_non_null(strstr(why->message, "bad.safetensors"));
    mlr_error_done(why);
    mlr_build_free(b);
    b = begin(f->memory, "application/x-other");
    bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), 0);
    mlr_manifest_free(commit_ok(b, "v1"));
    mlr_build_free(b);
}

/* ---- subject, annotations, tags ---- */

static void test_build__refers_to_its_subject(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, "application/x-evaluation");
    mlr_manifest *model, *m;
    mlr_list     *found = NULL;

    write_model(f->in);
    model = build_tree(f->memory, f->in, "v1");
    bed_assert_rc(mlr_build_subject(b, model->self.digest.text, &err), 0);
    bed_assert_rc(mlr_build_config(b, "application/x", "{}", 2, &err), 0);
    m = commit_ok(b, NULL);
    assert_non_null(m->subject);
    assert_string_equal(m->subject->digest.text, model->self.digest.text);
    assert_string_equal(m->subject->media_type, MLR_TYPE_MANIFEST);
    assert_int_equal(m->subject->bytes, model->self.bytes);
    bed_assert_rc(mlr_place_referrers(f->memory, REPO, &model->self.digest, NULL, NULL, &found, &err), 0);
    assert_int_equal(found->n, 1);
    assert_string_equal(found->items[0].descriptor->digest.text, m->self.digest.text);
    mlr_list_free(found);
    mlr_manifest_free(m);
    mlr_manifest_free(model);
    mlr_build_free(b);
}

static void test_build__refuses_a_subject_that_is_none_or_not_there(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, "application/x");
    mlr_manifest *m = NULL;

    bed_assert_rc(mlr_build_subject(b, "v1", &err), MLREG_EINVAL);
    bed_assert_rc(mlr_build_subject(b, BED_EMPTY, &err), 0);
    bed_assert_rc(mlr_build_config(b, "application/x", "{}", 2, &err), 0);
    bed_assert_rc(commit(b, "v1", &m, &err), MLREG_ENOTFOUND);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
    mlr_build_free(b);
}

static void test_build__keeps_annotations(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, "application/x");
    mlr_manifest *m;

    bed_assert_rc(mlr_build_annotation(b, "", "no key", &err), MLREG_EINVAL);
    bed_assert_rc(mlr_build_annotation(b, "org.example.a", "old", &err), 0);
    bed_assert_rc(mlr_build_annotation(b, "org.example.b", "with \"quotes\"\n", &err), 0);
    bed_assert_rc(mlr_build_annotation(b, "org.example.a", "new", &err), 0);
    bed_assert_rc(mlr_build_config(b, "application/x", "{}", 2, &err), 0);
    m = commit_ok(b, "v1");
    assert_int_equal(m->self.n_annotations, 2);
    assert_string_equal(mlr_descriptor_annotation(&m->self, "org.example.a"), "new");
    assert_string_equal(mlr_descriptor_annotation(&m->self, "org.example.b"), "with \"quotes\"\n");
    mlr_manifest_free(m);
    mlr_build_free(b);
}

static mlr_build *small_build(fixture *f, const char *config)
{
    mlr_build *b = begin(f->memory, "application/x");

    bed_assert_rc(mlr_build_config(b, "application/x", config, strlen(config), &err), 0);
    return b;
}

static int commit_as(fixture *f, const char *config, mlr_ref r, mlr_tag_rule rule, const char *const *also, size_t n_also, mlreg_error **err)
{
    mlr_build *b = small_build(f, config);
    int        rc;

    r.repo = (char *)REPO;
    rc = mlr_build_commit(b, &r, &rule, also, n_also, NULL, NULL, err);
    mlr_build_free(b);
    return rc;
}

static void test_build__puts_every_tag(void **state)
{
    static const char *const also[] = { "latest", "stable" };
    fixture                 *f = *state;
    mlr_digest               v1;

    bed_assert_rc(commit_as(f, "{}", (mlr_ref){ .tag = (char *)"v1" }, (mlr_tag_rule){ 0 }, also, 2, &err), 0);
    v1 = bed_at_tag(f->memory, REPO, "v1");
    assert_string_not_equal(v1.text, "");
    assert_string_equal(bed_at_tag(f->memory, REPO, "latest").text, v1.text);
    assert_string_equal(bed_at_tag(f->memory, REPO, "stable").text, v1.text);
}

static void test_build__refuses_a_bad_tag_before_anything_is_written(void **state)
{
    static const char *const also[] = { "fine", "not fine" };
    fixture                 *f = *state;

    bed_assert_rc(commit_as(f, "{\"a\":2}", (mlr_ref){ .tag = (char *)"v1" }, (mlr_tag_rule){ 0 }, also, 2, &err), MLREG_EINVAL);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
    assert_string_equal(bed_at_tag(f->memory, REPO, "fine").text, "");
    assert_int_equal(bed_has(f->memory, REPO, "{\"a\":2}"), 0);
}

static void test_build__moves_a_tag_only_where_the_rule_allows(void **state)
{
    fixture   *f = *state;
    mlr_ref    v1 = { .tag = (char *)"v1" };
    mlr_digest first, second;

    bed_assert_rc(commit_as(f, "{}", v1, (mlr_tag_rule){ 0 }, NULL, 0, &err), 0);
    first = bed_at_tag(f->memory, REPO, "v1");
    bed_assert_rc(commit_as(f, "{}", v1, (mlr_tag_rule){ 0 }, NULL, 0, &err), 0); /* the same again */
    bed_assert_rc(commit_as(f, "[]", v1, (mlr_tag_rule){ 0 }, NULL, 0, &err), MLREG_EEXISTS);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, first.text);
    bed_assert_rc(commit_as(f, "[]", v1, (mlr_tag_rule){ .move = true }, NULL, 0, &err), 0);
    second = bed_at_tag(f->memory, REPO, "v1");
    assert_string_not_equal(second.text, first.text);
    bed_assert_rc(commit_as(f, "{}", v1, (mlr_tag_rule){ true, first }, NULL, 0, &err), MLREG_EEXISTS);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, second.text);
    bed_assert_rc(commit_as(f, "{}", v1, (mlr_tag_rule){ true, second }, NULL, 0, &err), 0);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, first.text);
}

static void test_build__without_a_tag_is_known_by_its_digest(void **state)
{
    fixture       *f = *state;
    mlr_build     *b = small_build(f, "{}");
    mlr_manifest  *m = commit_ok(b, NULL), *back = NULL;
    const mlr_ref  r = { (char *)REPO, NULL, m->self.digest };

    bed_assert_rc(mlr_place_manifest(f->memory, &r, NULL, &back, &err), 0);
    assert_string_equal(back->json, m->json);
    mlr_manifest_free(back);
    mlr_manifest_free(m);
    mlr_build_free(b);
}

static void test_build__refuses_a_digest_as_its_name(void **state)
{
    fixture *f = *state;

    bed_assert_rc(commit_as(f, "{}", (mlr_ref){ .digest = { BED_EMPTY } }, (mlr_tag_rule){ 0 }, NULL, 0, &err), MLREG_EINVAL);
}

/* ---- order ---- */

static void test_build__takes_nothing_more_once_committed(void **state)
{
    fixture            *f = *state;
    mlr_build          *b = small_build(f, "{}");
    mlr_manifest       *m = commit_ok(b, "v1"), *again = NULL;
    bytes               s = { .text = "late" };
    mlreg_source        source = source_of(&s);
    mlreg_layer_options o = titled("x", NULL);

    bed_write(bed_at(f->in, "a.txt"), "text");
    bed_assert_rc(mlr_build_config(b, "application/x", "{}", 2, &err), MLREG_ESTATE);
    bed_assert_rc(mlr_build_subject(b, BED_EMPTY, &err), MLREG_ESTATE);
    bed_assert_rc(mlr_build_annotation(b, "a", "b", &err), MLREG_ESTATE);
    bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), MLREG_ESTATE);
    bed_assert_rc(mlr_build_add_file(b, NULL, bed_at(f->in, "a.txt"), NULL, &err), MLREG_ESTATE);
    bed_assert_rc(mlr_build_add_source(b, &o, &source, NULL, &err), MLREG_ESTATE);
    assert_int_equal(s.released, 1);
    bed_assert_rc(commit(b, "v2", &again, &err), MLREG_ESTATE);
    assert_null(again);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v2").text, "");
    mlr_manifest_free(m);
    mlr_build_free(b);
}

static void test_build__cannot_be_found_before_commit_returns(void **state)
{
    fixture            *f = *state;
    bytes               s = { .text = "bytes", .look = f->memory };
    mlreg_source        source = source_of(&s);
    mlreg_layer_options o = titled("x.txt", NULL);
    mlr_build          *b = begin(f->memory, NULL);

    bed_assert_rc(mlr_build_add_source(b, &o, &source, NULL, &err), 0);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
    mlr_manifest_free(commit_ok(b, "v1"));
    assert_true(s.reads > 0);
    assert_int_equal(s.found, 0);
    assert_string_not_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
    mlr_build_free(b);
}

/* ---- files that do not hold still ---- */

/* What becomes of the file "a.txt" when it is opened or read for the n-th time. */
static struct { mlr_fs_call call; int left, errnum; const char *append_to; atomic_int fired; } trouble;

static int make_trouble(mlr_fs_call call, const char *name, void *user)
{
    FILE *f;

    (void)user;
    if (call != trouble.call || strstr(name, "a.txt") == NULL || --trouble.left != 0)
        return 0;
    atomic_fetch_add(&trouble.fired, 1);
    if (trouble.append_to != NULL && (f = fopen(trouble.append_to, "ae")) != NULL) {
        fputc('x', f);
        fclose(f);
    }
    return trouble.errnum;
}

static void assert_commit_fails(mlr_build *b, mlr_place *p, int code, const char *subject)
{
    mlr_manifest *m = NULL;
    mlreg_error  *err = NULL;
    int           rc = commit(b, "v1", &m, &err);

    mlr_fs_use(NULL, NULL);
    if (rc != code)
        fail_msg("%d (%s), not %d", rc, err != NULL ? err->message : "no error", code);
    assert_null(m);
    assert_string_equal(err->subject, subject);
    mlr_error_done(err);
    assert_string_equal(bed_at_tag(p, REPO, "v1").text, "");
}

static void test_build__file_that_went_away_fails_the_commit(void **state)
{
    fixture    *f = *state;
    const char *path = bed_at(f->in, "a.txt");
    mlr_build  *b = begin(f->memory, NULL);

    bed_write(path, "text");
    bed_assert_rc(mlr_build_add_file(b, NULL, path, NULL, &err), 0);
    assert_int_equal(unlink(path), 0);
    assert_commit_fails(b, f->memory, MLREG_ENOTFOUND, path);
    mlr_build_free(b);
}

static void test_build__file_that_cannot_be_read_fails_the_commit(void **state)
{
    static const struct { mlr_fs_call call; int errnum, code; } cases[] = { { MLR_FS_OPEN, EACCES, MLREG_EDENIED }, { MLR_FS_READ, EIO, MLREG_EIO } };
    fixture    *f = *state;
    const char *path = bed_at(f->in, "a.txt");

    bed_write(path, "text");
    bed_write(bed_at(f->in, "b.txt"), "other");
    for (size_t i = 0; i < 2; i++) {
        mlr_build *b = begin(f->memory, NULL);

        bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), 0);
        trouble.call = cases[i].call;
        trouble.errnum = cases[i].errnum;
        trouble.append_to = NULL;
        trouble.left = 1;
        trouble.fired = 0;
        mlr_fs_use(make_trouble, NULL);
        assert_commit_fails(b, f->memory, cases[i].code, path);
        assert_int_equal(trouble.fired, 1);
        mlr_build_free(b);
    }
}

static void assert_change_is_seen(fixture *f, mlr_place *p)
{
    const char *path = bed_at(f->in, "a.txt");
    int         n = 0;

    do { /* it grows at its first read, at the second one, and so on */
        mlr_build *b = begin(p, NULL);

        bed_write(path, "text");
        bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), 0);
        trouble.call = MLR_FS_READ;
        trouble.errnum = 0;
        trouble.append_to = path;
        trouble.left = ++n;
        trouble.fired = 0;
        mlr_fs_use(make_trouble, NULL);
        if (n == 1) {
            assert_commit_fails(b, p, MLREG_EIO, path);
        } else {
            mlr_manifest *m = NULL;
            int           rc = commit(b, "v1", &m, NULL);

            mlr_fs_use(NULL, NULL);
            assert_int_equal(rc, trouble.fired ? MLREG_EIO : 0);
            mlr_manifest_free(m);
        }
        mlr_build_free(b);
    } while (trouble.fired);
    assert_true(n > 2); /* looked at, then moved */
}

static void test_build__file_that_changes_while_it_is_committed_is_not_tagged(void **state)
{
    fixture   *f = *state;
    mlr_place *store = bed_open(bed_at(f->dir, "store"), MLREG_OPEN_CREATE, f->rt);

    assert_change_is_seen(f, f->memory);
    assert_change_is_seen(f, store);
    mlr_place_close(store);
}

static void test_build__cancelled_leaves_no_tag(void **state)
{
    fixture       *f = *state;
    mlr_build     *b = begin(f->memory, NULL);
    mlr_manifest  *m = NULL;
    mlreg_op      *remote = NULL;
    mlr_op        *op = NULL;
    const mlr_ref  r = { (char *)REPO, (char *)"v1", { "" } };

    write_model(f->in);
    bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), 0);
    bed_assert_rc(mlr_remote_new(&remote, &err), 0);
    bed_assert_rc(mlr_op_begin(remote, &op, &err), 0);
    mlr_remote_cancel(remote);
    bed_assert_rc(mlr_build_commit(b, &r, &(mlr_tag_rule){ 0 }, NULL, 0, op, &m, &err), MLREG_ECANCELLED);
    assert_null(m);
    mlr_op_end(op);
    mlr_remote_free(remote);
    mlr_build_free(b);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
}

static void test_build__counts_every_byte_once(void **state)
{
    fixture       *f = *state;
    mlr_build     *b = begin(f->memory, NULL);
    mlr_manifest  *m = NULL;
    mlreg_op      *remote = NULL;
    mlr_op        *op = NULL;
    mlreg_stats    stats = { .size = sizeof stats };
    const mlr_ref  r = { (char *)REPO, (char *)"v1", { "" } };
    uint64_t       all;

    write_model(f->in);
    bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), 0);
    bed_assert_rc(mlr_remote_new(&remote, &err), 0);
    bed_assert_rc(mlr_op_begin(remote, &op, &err), 0);
    bed_assert_rc(mlr_build_commit(b, &r, &(mlr_tag_rule){ 0 }, NULL, 0, op, &m, &err), 0);
    mlr_op_end(op);
    mlr_remote_stats(remote, &stats);
    all = m->config->bytes;
    for (size_t i = 0; i < m->n_layers; i++)
        all += m->layers[i].bytes;
    assert_int_equal(stats.bytes_done, all);
    assert_int_equal(stats.bytes_total, all);
    mlr_remote_free(remote);
    mlr_manifest_free(m);
    mlr_build_free(b);
}

/* ---- files that have not changed ---- */

static int64_t ten_seconds_later(void *user)
{
    struct timespec now;

    (void)user;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + 10000;
}

static void be_later(bool later)
{
    static const mlr_clock clock = { .wall_ms = ten_seconds_later };

    mlr_clock_use(later ? &clock : NULL);
}

static atomic_int n_weight_reads;

static int count_weight_reads(mlr_fs_call call, const char *name, void *user)
{
    (void)user;
    if (call == MLR_FS_READ && strstr(name, "weights.bin") != NULL)
        atomic_fetch_add(&n_weight_reads, 1);
    return 0;
}

static mlreg_stats build_counted(mlr_place *to, const char *dir, const char *tag, char digest[MLR_DIGEST_TEXT + 1])
{
    mlr_build     *b = begin(to, NULL);
    mlr_manifest  *m = NULL;
    mlreg_op      *remote = NULL;
    mlr_op        *op = NULL;
    mlreg_stats    stats = { .size = sizeof stats };
    const mlr_ref  r = { (char *)REPO, (char *)tag, { "" } };

    bed_assert_rc(mlr_build_add_tree(b, NULL, dir, NULL, &err), 0);
    bed_assert_rc(mlr_remote_new(&remote, &err), 0);
    bed_assert_rc(mlr_op_begin(remote, &op, &err), 0);
    bed_assert_rc(mlr_build_commit(b, &r, &(mlr_tag_rule){ 0 }, NULL, 0, op, &m, &err), 0);
    mlr_op_end(op);
    mlr_remote_stats(remote, &stats);
    mlr_remote_free(remote);
    strcpy(digest, m->self.digest.text);
    mlr_manifest_free(m);
    mlr_build_free(b);
    return stats;
}

static void write_weights(fixture *f, char fill)
{
    enum { N = 3 << 20 };
    char *data = malloc(N + 1);

    memset(data, fill, N);
    data[N] = 0;
    bed_write(bed_at(f->in, "weights.bin"), data);
    free(data);
}

static void test_build__unchanged_files_are_neither_read_nor_written_again(void **state)
{
    fixture    *f = *state;
    odd_place  *odd = odd_place_new(f->memory, "odd");
    char        first[MLR_DIGEST_TEXT + 1], second[MLR_DIGEST_TEXT + 1];
    mlreg_stats stats;
    int         n_takes;

    setenv("XDG_CACHE_HOME", bed_at(f->dir, "cache"), 1);
    write_weights(f, 'w');
    be_later(true);
    build_counted(&odd->place, f->in, "v1", first);
    n_takes = atomic_load(&odd->takes);
    assert_true(n_takes > 0);
    atomic_store(&n_weight_reads, 0);
    mlr_fs_use(count_weight_reads, NULL);
    stats = build_counted(&odd->place, f->in, "v2", second);
    mlr_fs_use(NULL, NULL);
    be_later(false);
    assert_string_equal(first, second);
    assert_int_equal(atomic_load(&odd->takes), n_takes);
    assert_in_range(atomic_load(&n_weight_reads), 1, 2);       /* its first bytes, for what kind it is */
    assert_int_equal(stats.bytes_reused, 3 << 20);
    assert_int_equal(stats.bytes_done, stats.bytes_total);
    mlr_place_close(&odd->place);
}

static void test_build__remembered_files_go_where_they_are_not_yet(void **state)
{
    fixture   *f = *state;
    mlr_place *other = bed_open("memory:", 0, f->rt);
    char       first[MLR_DIGEST_TEXT + 1], second[MLR_DIGEST_TEXT + 1];

    setenv("XDG_CACHE_HOME", bed_at(f->dir, "cache"), 1);
    write_weights(f, 'w');
    be_later(true);
    build_counted(f->memory, f->in, "v1", first);
    assert_int_equal(build_counted(other, f->in, "v1", second).bytes_reused, 0);
    be_later(false);
    assert_string_equal(first, second);
    mlr_place_close(other);
}

static void test_build__a_wrong_memory_of_a_file_is_noticed_before_its_bytes_get_that_name(void **state)
{
    fixture     *f = *state;
    mlr_place   *other = bed_open("memory:", 0, f->rt);
    mlr_digests *memory;
    mlr_reader  *r = NULL;
    mlr_digest   lie;
    mlreg_stats  stats;
    char         first[MLR_DIGEST_TEXT + 1], second[MLR_DIGEST_TEXT + 1];

    write_weights(f, 'w');
    setenv("XDG_CACHE_HOME", bed_at(f->dir, "empty"), 1);
    build_counted(other, f->in, "v1", first);
    setenv("XDG_CACHE_HOME", bed_at(f->dir, "cache"), 1);
    be_later(true);
    memory = mlr_digests_new(NULL);
    mlr_digest_of("lie", 3, &lie);
    bed_assert_rc(mlr_reader_open_file(bed_at(f->in, "weights.bin"), &r, &err), 0);
    mlr_digests_keep(memory, r, mlr_clock_wall_ms(), &lie);
    assert_true(mlr_digests_find(memory, r, &lie));
    stats = build_counted(f->memory, f->in, "v1", second);
    assert_string_equal(first, second);
    assert_int_equal(stats.bytes_done, stats.bytes_total);
    assert_true(mlr_digests_find(memory, r, &lie));            /* the truth, meanwhile */
    be_later(false);
    mlr_reader_free(r);
    mlr_digests_free(memory);
    mlr_place_close(other);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_build__manifest_is_a_modelpack),
        TEST(test_build__layers_have_the_type_of_their_kind_and_the_name_of_their_file),
        TEST(test_build__config_is_filled_from_the_files),
        TEST(test_build__layer_is_its_file_byte_for_byte),
        TEST(test_build__gives_the_same_in_every_place),
        TEST(test_build__refuses_a_place_that_is_read_only),
        TEST(test_build__gives_the_same_digest_wherever_and_whenever_the_files_are),
        TEST(test_build__gives_another_digest_for_another_byte),
        TEST(test_build__file_is_named_by_its_last_part_or_as_told),
        TEST(test_build__tree_is_put_behind_a_prefix),
        TEST(test_build__source_is_read_and_released_once),
        TEST(test_build__source_is_released_once_without_a_commit_too),
        TEST(test_build__source_that_fails_fails_the_commit_with_its_code),
        TEST(test_build__source_shorter_than_it_said_is_an_error),
        TEST(test_build__refuses_what_cannot_be_added),
        TEST(test_build__refuses_titles_that_lead_elsewhere),
        TEST(test_build__refuses_titles_that_clash),
        TEST(test_build__other_artifact_has_ocis_empty_config),
        TEST(test_build__config_alone_comes_with_ocis_empty_layer),
        TEST(test_build__config_is_limited),
        TEST(test_build__of_nothing_is_refused),
        TEST(test_build__malformed_weights_are_refused_in_a_modelpack_alone),
        TEST(test_build__refers_to_its_subject),
        TEST(test_build__refuses_a_subject_that_is_none_or_not_there),
        TEST(test_build__keeps_annotations),
        TEST(test_build__puts_every_tag),
        TEST(test_build__refuses_a_bad_tag_before_anything_is_written),
        TEST(test_build__moves_a_tag_only_where_the_rule_allows),
        TEST(test_build__without_a_tag_is_known_by_its_digest),
        TEST(test_build__refuses_a_digest_as_its_name),
        TEST(test_build__takes_nothing_more_once_committed),
        TEST(test_build__cannot_be_found_before_commit_returns),
        TEST(test_build__file_that_went_away_fails_the_commit),
        TEST(test_build__file_that_cannot_be_read_fails_the_commit),
        TEST(test_build__file_that_changes_while_it_is_committed_is_not_tagged),
        TEST(test_build__cancelled_leaves_no_tag),
        TEST(test_build__counts_every_byte_once),
        TEST(test_build__unchanged_files_are_neither_read_nor_written_again),
        TEST(test_build__remembered_files_go_where_they_are_not_yet),
        TEST(test_build__a_wrong_memory_of_a_file_is_noticed_before_its_bytes_get_that_name),
    };
    return cmocka_run_group_tests_name("model/build", tests, NULL, NULL);
}
