/* tests/model/test_build.c - one manifest in the making: what is added to it, in memory, in a store and in a layout. */
#include "model/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "bed/odd_place.h"
#include "model/build_bed.h"
#include "model/build_index.h"
#include "model/modelpack.h"

#define MODELPACK "application/vnd.cncf.model."

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

static void test_build__source_is_read_and_released_once(void **state)
{
    fixture            *f = *state;
    own_bytes           s = { .text = "from memory" };
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
    own_bytes           s = { .text = "unused" }, refused = { .text = "refused" };
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
    own_bytes           s = { .text = "bytes", .code = MLREG_ENET };
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
    own_bytes           s = { .text = "bytes" };
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

static mlr_manifest *index_of(size_t n)
{
    mlr_buf       json = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlr_manifest *m;
    mlr_digest    d;

    mlr_digest_of("x", 1, &d);
    bed_assert_rc(mlr_buf_puts(&json, "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_INDEX "\",\"manifests\":[", &err), 0);
    for (size_t i = 0; i < n; i++)
        bed_assert_rc(mlr_buf_printf(&json, &err, "%s{\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"digest\":\"%s\",\"size\":1}", i > 0 ? "," : "", d.text), 0);
    bed_assert_rc(mlr_buf_puts(&json, "]}", &err), 0);
    m = bed_parse(json.data);
    mlr_buf_done(&json);
    return m;
}

/* Before the first entry is taken: half an index could be committed. */
static void test_build__index_with_too_many_entries_is_refused_whole(void **state)
{
    fixture      *f = *state;
    mlr_manifest *many = index_of(1001), *few = index_of(1000);
    mlr_build    *b = NULL;

    bed_assert_rc(mlr_build_new(f->memory, MLREG_BUILD_INDEX, NULL, &b, &err), 0);
    bed_assert_rc(mlr_build_add_children_of(b, f->memory, REPO, many, &err), MLREG_ELIMIT);
    bed_assert_rc(mlr_build_add_children_of(b, f->memory, REPO, few, &err), 0);
    mlr_build_free(b);
    mlr_manifest_free(many);
    mlr_manifest_free(few);
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
        TEST(test_build__index_with_too_many_entries_is_refused_whole),
        TEST(test_build__of_nothing_is_refused),
        TEST(test_build__malformed_weights_are_refused_in_a_modelpack_alone),
    };
    return cmocka_run_group_tests_name("model/build", tests, NULL, NULL);
}
