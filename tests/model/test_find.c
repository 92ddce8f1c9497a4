/* tests/model/test_find.c - the files of an image, as a container would see them, and which layer holds each. */
#include "model/find.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "image_bed.h"
#include "model/modelpack.h"

#define SAFETENSORS "\x13\0\0\0\0\0\0\0{\"__metadata__\":{}}"

/* What is found, each as "PATH@LAYER", blanks between. */
static void assert_found(fixture *f, image *i, const char *path, const char *want)
{
    mlr_manifest *m = make(f, i);
    mlr_list *l = NULL;
    mlr_buf got = MLR_BUF_INIT(4096);

    bed_assert_rc(mlr_find(&f->odd->place, REPO, m, path, NULL, &l, &err), 0);
    for (size_t n = 0; n < l->n; n++) {
        size_t at = 0;

        while (!mlr_digest_equal(&m->layers[at].digest, &l->items[n].descriptor->digest))
            at++;
        assert_string_equal(mlr_descriptor_title(l->items[n].descriptor), l->items[n].name);
        mlr_buf_printf(&got, NULL, "%s%s@%zu", n > 0 ? " " : "", l->items[n].name, at);
    }
    assert_string_equal(got.data != NULL ? got.data : "", want);
    mlr_buf_done(&got);
    mlr_list_free(l);
    mlr_manifest_free(m);
}

static void lower(image *i)
{
    mlr_buf *t = layer(i);

    file(t, "opt/kept", "1");
    file(t, "opt/replaced", "1");
    file(t, "opt/removed", "1");
    file(t, "srv/old/a", "1");
    file(t, "srv/old/b/c", "1");
    file(t, "usr/tool", "1");
    bed_tar_end(t);
}

static void upper(image *i)
{
    mlr_buf *t = layer(i);

    file(t, "opt/replaced", "22");
    file(t, "opt/.wh.removed", "");
    folder(t, "srv/old/");
    file(t, "srv/old/new", "2");
    file(t, "srv/old/.wh..wh..opq", "");
    file(t, "usr", "now a file");
    bed_tar_end(t);
}

static void test_find__sees_the_later_layers_over_the_earlier(void **state)
{
    fixture *f = *state;
    image i = { 0 };

    lower(&i);
    upper(&i);
    assert_found(f, &i, "/", "opt/kept@0 opt/replaced@1 srv/old/new@1 usr@1");
    assert_found(f, &i, "/opt", "opt/kept@0 opt/replaced@1");
    assert_found(f, &i, "opt/**", "opt/kept@0 opt/replaced@1");
    assert_found(f, &i, "/srv/old/a", "");
    assert_found(f, &i, "/o", "");
    done(&i);
}

static void test_find__a_name_that_a_layer_has_twice_is_one_file(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_buf *t = layer(&i);
    mlr_manifest *m;
    mlr_list *l = NULL;

    file(t, "opt/twice", "1");
    file(t, "opt/twice", "22");
    bed_tar_end(t);
    assert_found(f, &i, "/", "opt/twice@0");
    m = make(f, &i);
    bed_assert_rc(mlr_find(&f->odd->place, REPO, m, "/", NULL, &l, &err), 0);
    assert_string_equal(mlr_descriptor_annotation(l->items[0].descriptor, MLR_FIND_BYTES_KEY), "2");
    mlr_list_free(l);
    mlr_manifest_free(m);
    done(&i);
}

static void test_find__a_whiteout_of_no_name_hides_nothing(void **state)
{
    fixture *f = *state;
    image i = { 0 };

    lower(&i);
    file(layer(&i), ".wh.", "");
    file(&i.tars[1], "srv/old/.wh.", "");
    bed_tar_end(&i.tars[1]);
    assert_found(f, &i, "/srv", "srv/old/a@0 srv/old/b/c@0");
    done(&i);
}

static void test_find__what_a_layer_says_of_itself_is_not_told_without_end(void **state)
{
    static char much[1 << 20];
    fixture *f = *state;
    image i = { 0 };
    mlr_buf *t = layer(&i);
    mlr_manifest *m;
    mlr_list *l = NULL;
    char name[16];

    for (int n = 0; n < 300; n++) {
        snprintf(name, sizeof name, "file-%d", n);
        file(t, name, "1");
    }
    bed_tar_end(t);
    m = make(f, &i);
    memset(much, 'a', sizeof much - 1);
    bed_assert_rc(mlr_descriptor_annotate(&m->layers[0], "note", much, &err), 0);
    assert_int_equal(mlr_find(&f->odd->place, REPO, m, "/", NULL, &l, NULL), MLREG_ELIMIT);
    assert_null(l);
    bed_assert_rc(mlr_find(&f->odd->place, REPO, m, "/file-7", NULL, &l, &err), 0);
    assert_int_equal(l->n, 1);
    mlr_list_free(l);
    mlr_manifest_free(m);
    done(&i);
}

static void test_find__believes_no_layer_that_names_the_root_as_its_file(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_manifest *m;
    mlr_list *l = NULL;

    lower(&i);
    file(layer(&i), "opt/model", "GGUF\3\0\0\0");
    bed_tar_end(&i.tars[1]);
    m = make(f, &i);
    for (const char *const *named = (const char *const[]){ "/", ".", "opt/.wh.kept", NULL }; *named != NULL; named++) {
        bed_assert_rc(mlr_descriptor_annotate(&m->layers[1], MLR_FILEPATH_KEY, *named, &err), 0);
        bed_assert_rc(mlr_find(&f->odd->place, REPO, m, "/opt", NULL, &l, &err), 0);
        assert_int_equal(l->n, 4);
        mlr_list_free(l);
        l = NULL;
    }
    mlr_manifest_free(m);
    done(&i);
}

static void test_find__takes_models_by_their_content(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_buf *t = layer(&i);

    bed_tar_file(t, "opt/blob", SAFETENSORS, sizeof SAFETENSORS - 1);
    file(t, "opt/notes", "no model");
    file(t, "opt/m.gguf", "GGUF\3\0\0\0");
    bed_tar_end(t);
    assert_found(f, &i, NULL, "opt/blob@0 opt/m.gguf@0");
    done(&i);
}

static void test_find__says_size_and_format(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_buf *t = layer(&i);
    mlr_manifest *m;
    mlr_list *l = NULL;

    bed_tar_file(t, "opt/blob", SAFETENSORS, sizeof SAFETENSORS - 1);
    bed_tar_end(t);
    m = make(f, &i);
    bed_assert_rc(mlr_find(&f->odd->place, REPO, m, NULL, NULL, &l, &err), 0);
    assert_int_equal(l->n, 1);
    assert_string_equal(mlr_descriptor_annotation(l->items[0].descriptor, MLR_FIND_BYTES_KEY), "27");
    assert_string_equal(mlr_descriptor_annotation(l->items[0].descriptor, MLR_FIND_FORMAT_KEY), "safetensors");
    mlr_list_free(l);
    mlr_manifest_free(m);
    done(&i);
}

static void refused(fixture *f, image *i, const char *path, int want)
{
    mlr_manifest *m = make(f, i);
    mlr_list *l = NULL;
    mlreg_error *why = NULL;

    assert_int_equal(mlr_find(&f->odd->place, REPO, m, path, NULL, &l, &why), want);
    assert_non_null(why);
    assert_null(l);
    mlr_error_done(why);
    mlr_manifest_free(m);
}

static void test_find__refuses_what_is_no_image_and_paths_that_lead_out(void **state)
{
    fixture *f = *state;
    image i = { 0 };

    lower(&i);
    refused(f, &i, "/../etc", MLREG_EINVAL);
    i.config_type = MLR_TYPE_EMPTY;
    refused(f, &i, NULL, MLREG_ENOTSUP);
    done(&i);
}

static void test_find__believes_no_layer_with_other_bytes(void **state)
{
    fixture *f = *state;
    image i = { 0 };

    lower(&i);
    f->odd->lie = bed_blob("", i.tars[0].data, i.tars[0].len).digest;
    refused(f, &i, "/", MLREG_EDIGEST);
    done(&i);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_find__sees_the_later_layers_over_the_earlier),
        TEST(test_find__a_name_that_a_layer_has_twice_is_one_file),
        TEST(test_find__a_whiteout_of_no_name_hides_nothing),
        TEST(test_find__what_a_layer_says_of_itself_is_not_told_without_end),
        TEST(test_find__believes_no_layer_that_names_the_root_as_its_file),
        TEST(test_find__takes_models_by_their_content),
        TEST(test_find__says_size_and_format),
        TEST(test_find__refuses_what_is_no_image_and_paths_that_lead_out),
        TEST(test_find__believes_no_layer_with_other_bytes),
    };
    return cmocka_run_group_tests_name("model/find", tests, NULL, NULL);
}
