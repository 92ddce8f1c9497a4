/* tests/model/test_image.c - images in the making: aligned tars, a base, and the config that they get. */
#include "model/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bed/artifact.h"
#include "bed/dir.h"
#include "model/image.h"

#define REPO "team/image"
#define TAR  "application/vnd.oci.image.layer.v1.tar"

typedef struct fixture { char *dir; mlr_runtime *rt; mlr_place *memory; } fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    unsetenv("SOURCE_DATE_EPOCH");
    f->dir = bed_dir_new();
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
    free(f);
    return 0;
}

static mlr_build *begin(mlr_place *to, int32_t kind)
{
    mlr_build *b = NULL;

    bed_assert_rc(mlr_build_new(to, kind, NULL, &b, &err), 0);
    return b;
}

static int try_commit(mlr_build *b, const char *tag, mlr_manifest **out, mlreg_error **err)
{
    const mlr_ref      r = { (char *)REPO, (char *)tag, { "" } };
    const mlr_tag_rule rule = { true, { "" } };

    return mlr_build_commit(b, &r, &rule, NULL, 0, NULL, out, err);
}

static mlr_manifest *commit(mlr_build *b, const char *tag)
{
    mlr_manifest *m = NULL;

    bed_assert_rc(try_commit(b, tag, &m, &err), 0);
    mlr_build_free(b);
    return m;
}

static void add_file(mlr_build *b, const char *path, const char *title, uint32_t flags)
{
    mlreg_layer_options o;

    MLREG_INIT(o);
    o.title = title;
    o.flags = flags;
    bed_assert_rc(mlr_build_add_file(b, &o, path, NULL, &err), 0);
}

static void add_tree(mlr_build *b, const char *path, const char *title, uint32_t flags)
{
    mlreg_layer_options o;

    MLREG_INIT(o);
    o.title = title;
    o.flags = flags;
    bed_assert_rc(mlr_build_add_tree(b, &o, path, NULL, &err), 0);
}

static void read_blob(mlr_place *p, const mlr_descriptor *d, mlr_buf *out)
{
    const mlr_blob b = { REPO, d->digest, d->bytes, NULL };

    out->max = 1 << 20;
    bed_assert_rc(bed_read(p, &b, out, &err), 0);
}

static mlr_json *config_of(mlr_place *p, const mlr_manifest *m)
{
    mlr_buf   text = MLR_BUF_INIT(1 << 20);
    mlr_json *j = NULL;

    read_blob(p, m->config, &text);
    bed_assert_rc(mlr_json_parse(text.data, text.len, "config", &j, &err), 0);
    mlr_buf_done(&text);
    return j;
}

static const char *text_at(const mlr_json *j, const char *key)
{
    const char *s = mlr_json_string(mlr_json_get(j, key));

    return s != NULL ? s : "(none)";
}

static const char *diff_id(const mlr_json *config, size_t i)
{
    return mlr_json_string(mlr_json_at(mlr_json_get(mlr_json_get(config, "rootfs"), "diff_ids"), i));
}

/* An image with one file, in `p`. */
static mlr_manifest *small_image(mlr_place *p, const char *dir, const char *platform, const char *tag)
{
    mlr_build          *b = begin(p, MLREG_BUILD_IMAGE);
    mlreg_image_options o;
    const char         *env[] = { "PATH=/bin", "A=1" }, *cmd[] = { "sh" }, *labels[] = { "who=base" };

    MLREG_INIT(o);
    o.platform = platform;
    o.env = env;
    o.n_env = 2;
    o.cmd = cmd;
    o.n_cmd = 1;
    o.labels = labels;
    o.n_labels = 1;
    bed_write(bed_at(dir, "base"), "the base\n");
    bed_assert_rc(mlr_build_set_image(b, &o, &err), 0);
    add_file(b, bed_at(dir, "base"), "/etc/base", 0);
    return commit(b, tag);
}

/* ---- a layer ---- */

static void test_image__files_bytes_begin_at_a_page(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, MLREG_BUILD_IMAGE);
    mlr_manifest *m;
    mlr_buf       tar = { 0 };

    bed_write(bed_at(f->dir, "w.bin"), "WEIGHTS");
    add_file(b, bed_at(f->dir, "w.bin"), "/models/tiny/w.bin", 0);
    m = commit(b, "v1");
    assert_int_equal(m->n_layers, 1);
    assert_string_equal(m->layers[0].media_type, TAR);
    read_blob(f->memory, &m->layers[0], &tar);
    assert_int_equal(tar.len % 512, 0);
    assert_memory_equal(tar.data + 4096, "WEIGHTS", 7);
    assert_memory_equal(tar.data + 257, "ustar", 6);
    mlr_buf_done(&tar);
    mlr_manifest_free(m);
}

static void test_image__config_names_the_plain_tar_by_its_digest(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = small_image(f->memory, f->dir, "linux/arm64/v8", "v1");
    mlr_json     *c = config_of(f->memory, m);

    assert_string_equal(m->config->media_type, MLR_TYPE_IMAGE_CONFIG);
    assert_string_equal(diff_id(c, 0), m->layers[0].digest.text);
    assert_string_equal(text_at(c, "os"), "linux");
    assert_string_equal(text_at(c, "architecture"), "arm64");
    assert_string_equal(text_at(c, "variant"), "v8");
    assert_string_equal(text_at(c, "created"), "1970-01-01T00:00:00Z");
    assert_int_equal(mlr_json_count(mlr_json_get(c, "history")), 1);
    assert_null(strstr(m->json, "artifactType"));
    mlr_json_free(c);
    mlr_manifest_free(m);
}

static void assert_packed_is_same(fixture *f, uint32_t flags, const char *type)
{
    mlr_build    *b = begin(f->memory, MLREG_BUILD_IMAGE);
    mlr_manifest *m;
    mlr_json     *c;

    add_file(b, bed_at(f->dir, "w.bin"), "w.bin", 0);
    add_file(b, bed_at(f->dir, "w.bin"), "w.bin", flags);
    m = commit(b, "v1");
    c = config_of(f->memory, m);
    assert_string_equal(m->layers[1].media_type, type);
    assert_string_not_equal(m->layers[1].digest.text, m->layers[0].digest.text);
    assert_string_equal(diff_id(c, 1), diff_id(c, 0));
    mlr_json_free(c);
    mlr_manifest_free(m);
}

static void test_image__packed_layer_has_the_plain_ones_diff_id(void **state)
{
    fixture *f = *state;

    bed_write(bed_at(f->dir, "w.bin"), "WEIGHTS");
    assert_packed_is_same(f, MLREG_LAYER_GZIP, TAR "+gzip");
    assert_packed_is_same(f, MLREG_LAYER_ZSTD, TAR "+zstd");
}

static void test_image__same_files_give_the_same_image(void **state)
{
    fixture      *f = *state;
    mlr_manifest *a = small_image(f->memory, f->dir, "linux/amd64", "v1"), *b;

    unlink(bed_at(f->dir, "base"));           /* another inode, another time */
    b = small_image(f->memory, f->dir, "linux/amd64", "v2");
    assert_string_equal(a->self.digest.text, b->self.digest.text);
    mlr_manifest_free(a);
    mlr_manifest_free(b);
}

static void test_image__tree_is_one_layer_with_links_and_hidden_files(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, MLREG_BUILD_IMAGE);
    mlr_manifest *m;
    mlr_buf       tar = { 0 };

    mkdir(bed_at(f->dir, "t"), 0755);
    mkdir(bed_at(f->dir, "t/empty"), 0755);
    bed_write(bed_at(f->dir, "t/.hidden"), "h");
    assert_int_equal(symlink("nowhere", bed_at(f->dir, "t/link")), 0);
    add_tree(b, bed_at(f->dir, "t"), "/app", 0);
    m = commit(b, "v1");
    assert_int_equal(m->n_layers, 1);
    read_blob(f->memory, &m->layers[0], &tar);
    assert_non_null(memmem(tar.data, tar.len, "app/.hidden", 11));
    assert_non_null(memmem(tar.data, tar.len, "app/empty/", 10));
    assert_non_null(memmem(tar.data, tar.len, "nowhere", 7));
    mlr_buf_done(&tar);
    mlr_manifest_free(m);
}

static void test_image__epoch_is_the_time_of_all(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m;
    mlr_json     *c;

    setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
    m = small_image(f->memory, f->dir, NULL, "v1");
    c = config_of(f->memory, m);
    assert_string_equal(text_at(c, "created"), "2023-11-14T22:13:20Z");
    mlr_json_free(c);
    mlr_manifest_free(m);
}

static void test_image__epoch_that_is_no_number_is_refused(void **state)
{
    static const char *const bad[] = { "yesterday", "-1", "12x", "99999999999999999999" };
    fixture                 *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mlreg_error *why = NULL;
        mlr_build   *b = NULL;

        setenv("SOURCE_DATE_EPOCH", bad[i], 1);
        assert_int_equal(mlr_build_new(f->memory, MLREG_BUILD_IMAGE, NULL, &b, &why), MLREG_EINVAL);
        assert_non_null(strstr(why->message, "SOURCE_DATE_EPOCH"));
        assert_non_null(why->hint);
        mlr_error_done(why);
    }
}

/* ---- a base ---- */

static int set_base(mlr_build *b, mlr_place *from, const mlr_manifest *m, mlreg_error **err)
{
    mlr_buf config = { 0 };
    int     rc;

    read_blob(from, m->config, &config);
    rc = mlr_build_set_base(b, from, REPO, m, config.data, config.len, err);
    mlr_buf_done(&config);
    return rc;
}

static void test_image__inherits_from_its_base(void **state)
{
    fixture            *f = *state;
    mlr_manifest       *base = small_image(f->memory, f->dir, "linux/amd64", "base"), *m;
    mlr_build          *b = begin(f->memory, MLREG_BUILD_IMAGE);
    mlreg_image_options o;
    const char         *env[] = { "A=2", "B=3" }, *entry[] = { "/run" }, *ports[] = { "8080" };
    mlr_json           *c;
    const mlr_json     *run;

    MLREG_INIT(o);
    o.env = env;
    o.n_env = 2;
    o.entrypoint = entry;
    o.n_entrypoint = 1;
    o.ports = ports;
    o.n_ports = 1;
    o.user = "1000";
    bed_write(bed_at(f->dir, "code.py"), "print(1)\n");
    bed_assert_rc(set_base(b, f->memory, base, &err), 0);
    bed_assert_rc(mlr_build_set_image(b, &o, &err), 0);
    add_file(b, bed_at(f->dir, "code.py"), "app/code.py", 0);
    m = commit(b, "v1");
    c = config_of(f->memory, m);
    run = mlr_json_get(c, "config");
    assert_int_equal(m->n_layers, 2);
    assert_string_equal(m->layers[0].digest.text, base->layers[0].digest.text);
    assert_string_equal(diff_id(c, 0), base->layers[0].digest.text);
    assert_int_equal(mlr_json_count(mlr_json_get(c, "history")), 2);
    assert_string_equal(text_at(c, "architecture"), "amd64");
    assert_string_equal(text_at(run, "User"), "1000");
    assert_int_equal(mlr_json_count(mlr_json_get(run, "Env")), 3);
    assert_string_equal(mlr_json_string(mlr_json_at(mlr_json_get(run, "Env"), 0)), "PATH=/bin");
    assert_string_equal(mlr_json_string(mlr_json_at(mlr_json_get(run, "Env"), 1)), "A=2");
    assert_null(mlr_json_get(run, "Cmd"));    /* it would be arguments of the new entrypoint */
    assert_string_equal(text_at(mlr_json_get(run, "Labels"), "who"), "base");
    assert_non_null(mlr_json_get(mlr_json_get(run, "ExposedPorts"), "8080/tcp"));
    assert_non_null(strstr(m->json, base->self.digest.text));
    mlr_json_free(c);
    mlr_manifest_free(base);
    mlr_manifest_free(m);
}

static void test_image__base_for_another_platform_is_refused(void **state)
{
    fixture            *f = *state;
    mlr_manifest       *base = small_image(f->memory, f->dir, "linux/amd64", "base"), *m = NULL;
    mlr_build          *b = begin(f->memory, MLREG_BUILD_IMAGE);
    mlreg_image_options o;
    mlreg_error        *why = NULL;

    MLREG_INIT(o);
    o.platform = "linux/arm64";
    bed_assert_rc(set_base(b, f->memory, base, &err), 0);
    bed_assert_rc(mlr_build_set_image(b, &o, &err), 0);
    assert_int_equal(try_commit(b, "v1", &m, &why), MLREG_EINVAL);
    assert_string_equal(why->message, "the base is for linux/amd64, the image is to be for linux/arm64");
    assert_non_null(why->hint);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
    mlr_error_done(why);
    mlr_build_free(b);
    mlr_manifest_free(base);
}

static void assert_base_refused(fixture *f, const mlr_manifest *m, const char *config, int code, const char *says)
{
    mlr_build   *b = begin(f->memory, MLREG_BUILD_IMAGE);
    mlreg_error *why = NULL;

    assert_int_equal(mlr_build_set_base(b, f->memory, REPO, m, config, strlen(config), &why), code);
    if (strstr(why->message, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why->message, says);
    assert_non_null(why->hint);
    mlr_error_done(why);
    mlr_build_free(b);
}

static void test_image__base_that_lies_or_is_none_is_refused(void **state)
{
    fixture            *f = *state;
    mlr_manifest       *base = small_image(f->memory, f->dir, "linux/amd64", "base");
    const mlr_manifest *child = base;
    mlr_manifest       *index = bed_index(&child, 1), *other = bed_image_text("x", "test/artifact", NULL);

#define CONFIG(ids) "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" ids "]}}"
    assert_base_refused(f, base, CONFIG(""), MLREG_EPROTO, "it names 0 of them, the manifest 1");
    assert_base_refused(f, base, CONFIG("\"sha256:1\""), MLREG_EPROTO, "no digest");
    assert_base_refused(f, index, CONFIG(""), MLREG_EINVAL, "is an index");
    assert_base_refused(f, other, CONFIG(""), MLREG_EINVAL, "is no image");
    mlr_manifest_free(other);
    mlr_manifest_free(index);
    mlr_manifest_free(base);
}

/* Each was walked as an object, and its members have no names. */
static void test_image__base_whose_config_is_malformed_is_refused(void **state)
{
    fixture      *f = *state;
    mlr_manifest *base = small_image(f->memory, f->dir, "linux/amd64", "base");
    char          text[512];

#define CONFIG_WITH(run) "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[\"%s\"]},\"config\":" run "}"
    snprintf(text, sizeof text, CONFIG_WITH("[1]"), base->layers[0].digest.text);
    assert_base_refused(f, base, text, MLREG_EPROTO, "\"config\" is no object");
    snprintf(text, sizeof text, CONFIG_WITH("{\"Labels\":[\"a=b\"]}"), base->layers[0].digest.text);
    assert_base_refused(f, base, text, MLREG_EPROTO, "\"config.Labels\" is no object");
    snprintf(text, sizeof text, CONFIG_WITH("{\"ExposedPorts\":\"80\"}"), base->layers[0].digest.text);
    assert_base_refused(f, base, text, MLREG_EPROTO, "\"config.ExposedPorts\" is no object");
    mlr_manifest_free(base);
}

/* ---- one blob, two manifests ---- */

static void test_image__model_and_its_image_share_the_blob(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, MLREG_BUILD_ARTIFACT);
    mlr_manifest *model, *image, *again;
    mlr_json     *c;

    bed_write(bed_at(f->dir, "w.bin"), "WEIGHTS");
    add_file(b, bed_at(f->dir, "w.bin"), "models/w.bin", MLREG_LAYER_TAR);
    model = commit(b, "model");
    assert_non_null(strstr(model->layers[0].media_type, "application/vnd.cncf.model."));
    assert_non_null(strstr(model->layers[0].media_type, ".tar"));
    assert_string_equal(mlr_descriptor_annotation(&model->layers[0], "org.cncf.model.filepath"), "models/w.bin");
    b = begin(f->memory, MLREG_BUILD_IMAGE);
    bed_assert_rc(mlr_build_add_layer_of(b, NULL, f->memory, REPO, model, 0, "{}", 2, &err), 0);
    image = commit(b, "image");
    c = config_of(f->memory, image);
    assert_string_equal(image->layers[0].digest.text, model->layers[0].digest.text);
    assert_string_equal(image->layers[0].media_type, TAR);
    assert_string_equal(diff_id(c, 0), model->layers[0].digest.text);
    b = begin(f->memory, MLREG_BUILD_ARTIFACT);
    bed_assert_rc(mlr_build_add_layer_of(b, NULL, f->memory, REPO, image, 0, "{}", 2, &err), 0);
    again = commit(b, "again");
    assert_string_equal(again->layers[0].digest.text, model->layers[0].digest.text);
    assert_string_equal(mlr_descriptor_annotation(&again->layers[0], "org.cncf.model.filepath"), "models/w.bin");
    mlr_json_free(c);
    mlr_manifest_free(model);
    mlr_manifest_free(image);
    mlr_manifest_free(again);
}

static void test_image__raw_layer_is_wrapped_as_its_file_would_be(void **state)
{
    fixture            *f = *state;
    mlr_build          *b = begin(f->memory, MLREG_BUILD_ARTIFACT);
    mlr_manifest       *model, *image, *same;
    mlreg_layer_options o;

    bed_write(bed_at(f->dir, "w.bin"), "WEIGHTS");
    add_file(b, bed_at(f->dir, "w.bin"), "w.bin", 0);
    model = commit(b, "model");
    MLREG_INIT(o);
    o.title = "/models/w.bin";
    b = begin(f->memory, MLREG_BUILD_IMAGE);
    bed_assert_rc(mlr_build_add_layer_of(b, &o, f->memory, REPO, model, 0, "{}", 2, &err), 0);
    image = commit(b, "image");
    b = begin(f->memory, MLREG_BUILD_IMAGE);
    add_file(b, bed_at(f->dir, "w.bin"), "/models/w.bin", 0);
    same = commit(b, "same");
    assert_string_equal(image->layers[0].digest.text, same->layers[0].digest.text);
    mlr_manifest_free(model);
    mlr_manifest_free(image);
    mlr_manifest_free(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_image__files_bytes_begin_at_a_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__config_names_the_plain_tar_by_its_digest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__packed_layer_has_the_plain_ones_diff_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__same_files_give_the_same_image, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__tree_is_one_layer_with_links_and_hidden_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__epoch_is_the_time_of_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__epoch_that_is_no_number_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__inherits_from_its_base, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__base_for_another_platform_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__base_that_lies_or_is_none_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__base_whose_config_is_malformed_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__model_and_its_image_share_the_blob, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image__raw_layer_is_wrapped_as_its_file_would_be, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
