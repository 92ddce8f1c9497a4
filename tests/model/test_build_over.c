/* tests/model/test_build_over.c - images on bases that have something else where the new layers put theirs. */
#include "model/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "image_bed.h"

#define ZSTD MLR_TYPE_LAYER_TAR "+zstd"

/* What layers hold is remembered in a folder of the test's own. */
static char *cache;

static int begin(void **state)
{
    cache = bed_dir_new();
    setenv("XDG_CACHE_HOME", cache, 1);
    return set_up(state);
}

static int end(void **state)
{
    bed_dir_remove(cache);
    return tear_down(state);
}

static void usual_base(image *i)
{
    mlr_buf *t = layer(i);

    folder(t, "app/");
    file(t, "app/main", "1");
    folder(t, "usr/");
    folder(t, "usr/lib/");
    file(t, "usr/lib/libc", "2");
    entry(t, '2', "lib", "usr/lib", 0777);
    entry(t, '2', "run", "/var/run", 0777);
    file(t, "var/run/pid", "3");
    entry(t, '2', "python", "usr/lib/libc", 0777);
    file(t, "etc/passwd", "4");
}

static mlr_build *on_base(fixture *f, mlr_place *from, image *i)
{
    mlr_manifest *m = make(f, i);
    mlr_buf config = MLR_BUF_INIT(1 << 20);
    mlr_blob b = { REPO, m->config->digest, m->config->bytes, NULL };
    mlr_build *build = NULL;

    bed_assert_rc(bed_read(f->place, &b, &config, &err), 0);
    bed_assert_rc(mlr_build_new(f->place, MLREG_BUILD_IMAGE, NULL, &build, &err), 0);
    bed_assert_rc(mlr_build_set_base(build, from, REPO, m, config.data, config.len, &err), 0);
    mlr_buf_done(&config);
    mlr_manifest_free(m);
    return build;
}

static int64_t one_byte(void *user, uint64_t offset, void *buf, size_t len)
{
    (void)user;
    if (offset > 0 || len == 0)
        return 0;
    *(char *)buf = 'x';
    return 1;
}

static void add_file(mlr_build *b, const char *path)
{
    const mlreg_source s = { .size = sizeof s, .bytes = 1, .read_at = one_byte };
    const mlreg_layer_options o = { .size = sizeof o, .title = path };

    bed_assert_rc(mlr_build_add_source(b, &o, &s, NULL, &err), 0);
}

static int commit(mlr_build *b, mlr_manifest **out, mlreg_error **err)
{
    const mlr_ref r = { (char *)REPO, (char *)"v1", { "" } };
    const mlr_tag_rule rule = { true, { "" } };
    int rc = mlr_build_commit(b, &r, &rule, NULL, 0, NULL, out, err);

    mlr_build_free(b);
    return rc;
}

static void assert_refused(fixture *f, mlr_build *b, const char *says, const char *hint)
{
    const int written = f->odd->writes;
    mlreg_error *err = NULL;

    assert_int_equal(commit(b, NULL, &err), MLREG_EINVAL);
    if (strstr(err->message, says) == NULL || err->hint == NULL || strstr(err->hint, hint) == NULL)
        fail_msg("says \"%s\" and \"%s\"", err->message, err->hint);
    mlr_error_done(err);
    assert_string_equal(bed_at_tag(f->place, REPO, "v1").text, "");
    assert_int_equal(f->odd->writes, written);
    assert_int_equal(bed_has(f->place, REPO, "x"), 0);
}

static mlr_manifest *taken(mlr_build *b)
{
    mlr_manifest *m = NULL;

    bed_assert_rc(commit(b, &m, &err), 0);
    return m;
}

/* Whether the last layer names this. */
static bool names(fixture *f, const mlr_manifest *m, const char *name)
{
    const mlr_descriptor *d = &m->layers[m->n_layers - 1];
    mlr_blob b = { REPO, d->digest, d->bytes, NULL };
    mlr_buf tar = MLR_BUF_INIT(1 << 20);
    bool is_there = false;

    bed_assert_rc(bed_read(f->place, &b, &tar, &err), 0);
    for (size_t at = 0; at < tar.len; at += BED_TAR_BLOCK)
        is_there = is_there || strcmp(tar.data + at, name) == 0;
    mlr_buf_done(&tar);
    return is_there;
}

/* ---- clashes ---- */

static void refuse_all(fixture *f, const char *type)
{
    static const struct { const char *path, *says, *hint; } cases[] = {
        { "app", "/app exists in the base as a directory, and the layer makes it a file", "/app/NAME" },
        { "etc", "/etc exists in the base as a directory, and the layer makes it a file", "hidden" },
        { "etc/passwd/x", "/etc/passwd exists in the base as a file, and the layer makes it a directory", "another path" },
        { "lib/libc/x", "/lib/libc exists in the base as a file, and the layer makes it a directory", "another path" },
        { "python/x", "/python exists in the base as a link, and the layer makes it a directory", "usr/lib/libc" },
        { "lib", "/lib exists in the base as a link, and the layer makes it a file", "\"usr/lib\"" },
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        image i = { .type = type };
        mlr_build *b;

        usual_base(&i);
        b = on_base(f, &f->odd->place, &i);
        add_file(b, "fine");
        add_file(b, cases[k].path);
        assert_refused(f, b, cases[k].says, cases[k].hint);
        done(&i);
    }
}

static void test_build_over__another_kind_is_refused_before_anything_is_written(void **state)
{
    refuse_all(*state, NULL);
}

static void test_build_over__packed_bases_are_looked_into(void **state)
{
    static const char *const types[] = { GZIP, ZSTD, DOCKER, "application/vnd.docker.image.rootfs.diff.tar" };

    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        char *of_before = cache;

        cache = bed_dir_new();                  /* nothing is remembered of the same tar in another packing */
        setenv("XDG_CACHE_HOME", cache, 1);
        bed_dir_remove(of_before);
        refuse_all(*state, types[k]);
    }
}

static void test_build_over__folders_of_a_tree_take_no_links_place(void **state)
{
    fixture *f = *state;
    const mlreg_layer_options at_root = { .size = sizeof at_root, .title = "/" }, at_link = { .size = sizeof at_link, .title = "/run" };
    char *dir = bed_dir_new();
    image i = { 0 };
    mlr_build *b;

    mkdir(bed_at(dir, "run"), 0755);
    bed_write(bed_at(dir, "run/mine"), "x");
    usual_base(&i);
    b = on_base(f, f->place, &i);
    bed_assert_rc(mlr_build_add_tree(b, &at_root, dir, NULL, &err), 0);
    assert_refused(f, b, "/run exists in the base as a link, and the layer makes it a directory", "/var/run");
    b = on_base(f, f->place, &i);
    bed_assert_rc(mlr_build_add_tree(b, &at_link, bed_at(dir, "run"), NULL, &err), 0);
    mlr_manifest_free(taken(b));
    done(&i);
    bed_dir_remove(dir);
}

/* ---- what may be ---- */

static void test_build_over__the_same_kind_and_new_names_are_taken(void **state)
{
    static const char *const paths[] = { "app/main", "app/new", "etc/passwd", "python", "new/folder/x", "usr/lib/libc" };
    fixture *f = *state;
    image i = { 0 };
    mlr_build *b;

    usual_base(&i);
    b = on_base(f, f->place, &i);
    for (size_t k = 0; k < sizeof paths / sizeof *paths; k++)
        add_file(b, paths[k]);
    mlr_manifest_free(taken(b));
    done(&i);
}

static void test_build_over__a_link_that_leads_on_is_not_named(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_build *b;
    mlr_manifest *m;

    usual_base(&i);
    b = on_base(f, f->place, &i);
    add_file(b, "run/sub/x");
    m = taken(b);
    assert_true(names(f, m, "run/sub/x"));
    assert_true(names(f, m, "run/sub/"));
    assert_false(names(f, m, "run/"));
    mlr_manifest_free(m);
    done(&i);
}

static void test_build_over__what_a_layer_removed_is_free(void **state)
{
    fixture *f = *state;
    image i = { .type = GZIP };
    mlr_build *b;
    mlr_buf *t;

    usual_base(&i);
    t = layer(&i);
    file(t, ".wh.app", "");
    file(t, "etc/.wh..wh..opq", "");
    file(t, ".wh.lib", "");
    b = on_base(f, f->place, &i);
    add_file(b, "app");
    add_file(b, "etc/passwd/x");
    add_file(b, "lib/x");
    mlr_manifest_free(taken(b));
    done(&i);
}

/* ---- layers that are not there, or are no good ---- */

static void test_build_over__below_a_layer_that_is_not_there_nothing_is_known(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_build *b;

    usual_base(&i);
    file(layer(&i), "opt/tool/bin", "1");
    file(layer(&i), "srv/data", "2");
    f->odd->missing = bed_blob("", i.tars[1].data, i.tars[1].len).digest;
    b = on_base(f, &f->odd->place, &i);
    add_file(b, "srv/data/x");
    assert_refused(f, b, "/srv/data exists in the base as a file", "another path");
    b = on_base(f, &f->odd->place, &i);
    add_file(b, "app");                        /* who knows whether the layer that is missing removed it */
    add_file(b, "opt");
    add_file(b, "srv");                        /* it may be a link below */
    mlr_manifest_free(taken(b));
    done(&i);
}

static void test_build_over__a_layer_that_is_no_tar_is_not_looked_at(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_build *b;

    mlr_buf_puts(layer(&i), "this is no tar at all", NULL);
    b = on_base(f, f->place, &i);
    add_file(b, "app");
    mlr_manifest_free(taken(b));
    done(&i);
}

static void test_build_over__a_layer_of_another_digest_is_not_believed(void **state)
{
    fixture *f = *state;
    image i = { .type = GZIP, .diff_id = BED_EMPTY };
    mlr_build *b;

    usual_base(&i);
    b = on_base(f, f->place, &i);
    add_file(b, "app");
    mlr_manifest_free(taken(b));
    assert_false(bed_exists(bed_at(cache, "mlreg/private/layers")));
    done(&i);
}

/* ---- what is remembered ---- */

static void refuse_app(fixture *f, image *i)
{
    mlr_build *b = on_base(f, &f->odd->place, i);

    add_file(b, "app");
    assert_refused(f, b, "/app exists in the base as a directory", "hidden");
}

static void test_build_over__a_layer_is_read_once(void **state)
{
    fixture *f = *state;
    image i = { .type = GZIP };

    usual_base(&i);
    refuse_app(f, &i);
    assert_int_equal(f->odd->opens, 1);
    refuse_app(f, &i);
    i.type = ZSTD;                              /* the same inside */
    refuse_app(f, &i);
    assert_int_equal(f->odd->opens, 1);
    f->odd->place.far = true;                   /* a registry is not asked, but what is remembered holds */
    refuse_app(f, &i);
    assert_int_equal(f->odd->opens, 1);
    done(&i);
}

static void test_build_over__layers_of_a_registry_are_not_read(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_build *b;

    usual_base(&i);
    f->odd->place.far = true;
    b = on_base(f, &f->odd->place, &i);
    add_file(b, "app");
    mlr_manifest_free(taken(b));
    assert_int_equal(f->odd->opens, 0);
    done(&i);
}

static void damage(const char *dir)
{
    char command[BED_PATH_MAX + 128];

    snprintf(command, sizeof command, "for f in '%s'/*; do printf X | dd of=\"$f\" bs=1 seek=40 conv=notrunc status=none; done", dir);
    assert_int_equal(system(command), 0);
}

static void test_build_over__a_damaged_memory_is_as_good_as_none(void **state)
{
    fixture *f = *state;
    image i = { .type = GZIP };

    usual_base(&i);
    refuse_app(f, &i);
    damage(bed_at(cache, "mlreg/private/layers"));
    refuse_app(f, &i);
    assert_int_equal(f->odd->opens, 2);
    refuse_app(f, &i);
    assert_int_equal(f->odd->opens, 2);
    done(&i);
}

static void test_build_over__without_a_memory_it_is_read_each_time(void **state)
{
    fixture *f = *state;
    image i = { .type = GZIP };

    bed_write(bed_at(cache, "mlreg"), "a file where the folder would be");
    usual_base(&i);
    refuse_app(f, &i);
    refuse_app(f, &i);
    assert_int_equal(f->odd->opens, 2);
    done(&i);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_build_over__another_kind_is_refused_before_anything_is_written),
        TEST(test_build_over__packed_bases_are_looked_into),
        TEST(test_build_over__folders_of_a_tree_take_no_links_place),
        TEST(test_build_over__the_same_kind_and_new_names_are_taken),
        TEST(test_build_over__a_link_that_leads_on_is_not_named),
        TEST(test_build_over__what_a_layer_removed_is_free),
        TEST(test_build_over__below_a_layer_that_is_not_there_nothing_is_known),
        TEST(test_build_over__a_layer_that_is_no_tar_is_not_looked_at),
        TEST(test_build_over__a_layer_of_another_digest_is_not_believed),
        TEST(test_build_over__a_layer_is_read_once),
        TEST(test_build_over__layers_of_a_registry_are_not_read),
        TEST(test_build_over__a_damaged_memory_is_as_good_as_none),
        TEST(test_build_over__without_a_memory_it_is_read_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
