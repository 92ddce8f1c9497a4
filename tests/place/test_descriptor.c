/* place/test_descriptor.c - descriptors: read strictly, written back byte for byte, and lists of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/descriptor.h"

#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define OTHER "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static int read_text(const char *json, mlr_descriptor *out, mlreg_error **err)
{
    mlr_json *root = NULL;
    int       rc = mlr_json_parse(json, strlen(json), "test", &root, err);
    assert_int_equal(rc, 0);
    rc = mlr_descriptor_read(root, "layers[3]", out, err);
    mlr_json_free(root);
    return rc;
}

static char *write_text(const mlr_descriptor *d)
{
    mlr_buf      b = MLR_BUF_INIT(1 << 20);
    mlr_json_out o;
    mlr_json_begin(&o, &b, NULL);
    mlr_descriptor_put(&o, NULL, d);
    assert_int_equal(mlr_json_end(&o), 0);
    return mlr_buf_take(&b);
}

#define FULL "{ \"size\": 2, \"digest\":\"" EMPTY "\",  \"mediaType\":\"a/b\", \"x-unknown\":[1, 2.50],\"data\":\"e30=\"," \
             "\"annotations\":{\"k\":\"v\",\"org.cncf.model.filepath\":\"w/x\"},\"urls\":[\"https://a/b\"]," \
             "\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"},\"artifactType\":\"t/u\"}"

static void test_descriptor__is_read_with_all_its_members(void **state)
{
    mlr_descriptor d;
    (void)state;
    assert_int_equal(read_text(FULL, &d, NULL), 0);
    assert_string_equal(d.media_type, "a/b");
    assert_string_equal(d.artifact_type, "t/u");
    assert_string_equal(d.digest.text, EMPTY);
    assert_int_equal(d.bytes, 2);
    assert_int_equal(d.n_annotations, 2);
    assert_string_equal(mlr_descriptor_annotation(&d, "k"), "v");
    assert_null(mlr_descriptor_annotation(&d, "K"));
    assert_string_equal(d.urls[0], "https://a/b");
    assert_string_equal(d.platform, "linux/arm64/v8");
    mlr_descriptor_done(&d);
}

static void test_descriptor__is_written_back_byte_for_byte(void **state)
{
    mlr_descriptor d, c;
    (void)state;
    assert_int_equal(read_text(FULL, &d, NULL), 0);
    assert_int_equal(mlr_descriptor_copy(&d, &c, NULL), 0);
    mlr_descriptor_done(&d);
    char *text = write_text(&c);
    assert_string_equal(text, FULL);
    mlr_free(text);
    mlr_descriptor_done(&c);
}

static void test_descriptor__of_our_making_reads_back_the_same(void **state)
{
    mlr_descriptor d, back;
    mlr_digest     digest;
    (void)state;
    assert_int_equal(mlr_digest_parse(EMPTY, &digest, NULL), 0);
    assert_int_equal(mlr_descriptor_make("a/b", &digest, 5368709121u, &d, NULL), 0);
    assert_int_equal(mlr_descriptor_annotate(&d, "k", "1", NULL), 0);
    assert_int_equal(mlr_descriptor_annotate(&d, "l", "quote \" and \n", NULL), 0);
    assert_int_equal(mlr_descriptor_annotate(&d, "k", "2", NULL), 0);
    d.platform = mlr_strdup("linux/amd64");
    d.artifact_type = mlr_strdup("t/u");
    char *text = write_text(&d);
    assert_int_equal(read_text(text, &back, NULL), 0);
    assert_int_equal(back.bytes, 5368709121u);
    assert_string_equal(mlr_descriptor_annotation(&back, "k"), "2");
    assert_string_equal(mlr_descriptor_annotation(&back, "l"), "quote \" and \n");
    assert_string_equal(back.platform, "linux/amd64");
    assert_string_equal(back.artifact_type, "t/u");
    mlr_free(text);
    mlr_descriptor_done(&back);
    mlr_descriptor_done(&d);
}

static void test_descriptor__annotating_drops_what_no_longer_holds(void **state)
{
    mlr_descriptor d;
    (void)state;
    assert_int_equal(read_text(FULL, &d, NULL), 0);
    assert_int_equal(mlr_descriptor_annotate(&d, "k", NULL, NULL), 0);
    assert_int_equal(mlr_descriptor_annotate(&d, "not there", NULL, NULL), 0);
    assert_null(d.raw);
    assert_int_equal(d.n_annotations, 1);
    char *text = write_text(&d);
    assert_null(strstr(text, "\"k\""));
    mlr_free(text);
    mlr_descriptor_done(&d);
}

static void test_descriptor__refuses_and_names_the_member(void **state)
{
    static const struct {
        const char *json, *word;
        int         rc;
    } cases[] = {
        { "[]", "descriptor", MLREG_EPROTO },
        { "{\"digest\":\"" EMPTY "\",\"size\":2}", "mediaType", MLREG_EPROTO },
        { "{\"mediaType\":\"\",\"digest\":\"" EMPTY "\",\"size\":2}", "mediaType", MLREG_EPROTO },
        { "{\"mediaType\":\"a\\r\\nX: y\",\"digest\":\"" EMPTY "\",\"size\":2}", "mediaType", MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"size\":2}", "digest", MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"sha256:../../x\",\"size\":2}", "digest", MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"sha512:" /* 128 */
          "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
          "\",\"size\":2}", "sha512", MLREG_ENOTSUP },
        { "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\"}", "size", MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":-1}", "size", MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":2.5}", "size", MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":9223372036854775808}", "size", MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":2,\"annotations\":[]}", "annotations",
          MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":2,\"annotations\":{\"k\":1}}", "'k'",
          MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":2,\"urls\":[1]}", "urls", MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":2,\"platform\":1}", "platform", MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":2,\"artifactType\":1}", "artifactType",
          MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":2,\"data\":\"e31=\"}", "data", MLREG_EPROTO },
        { "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":2,\"data\":\"!\"}", "data", MLREG_EPROTO },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mlr_descriptor d;
        mlreg_error   *err = NULL;
        assert_int_equal(read_text(cases[i].json, &d, &err), cases[i].rc);
        assert_non_null(strstr(err->message, "layers[3]"));
        assert_non_null(strstr(err->message, cases[i].word));
        mlr_error_done(err);
    }
}

static void test_descriptor__sizes_are_exact_to_63_bits(void **state)
{
    mlr_descriptor d;
    (void)state;
    assert_int_equal(read_text("{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":9223372036854775807}", &d,
                               NULL), 0);
    assert_true(d.bytes == INT64_MAX);
    mlr_descriptor_done(&d);
}

static void test_descriptor__title_prefers_the_common_name(void **state)
{
    mlr_descriptor d;
    mlr_digest     digest;
    (void)state;
    assert_int_equal(mlr_digest_parse(EMPTY, &digest, NULL), 0);
    assert_int_equal(mlr_descriptor_make("a/b", &digest, 2, &d, NULL), 0);
    assert_null(mlr_descriptor_title(&d));
    assert_int_equal(mlr_descriptor_annotate(&d, "org.cnai.model.filepath", "old", NULL), 0);
    assert_string_equal(mlr_descriptor_title(&d), "old");
    assert_int_equal(mlr_descriptor_annotate(&d, "org.cncf.model.filepath", "new", NULL), 0);
    assert_string_equal(mlr_descriptor_title(&d), "new");
    assert_int_equal(mlr_descriptor_annotate(&d, "org.opencontainers.image.title", "title", NULL), 0);
    assert_string_equal(mlr_descriptor_title(&d), "title");
    mlr_descriptor_done(&d);
}

static void test_list__sorts_and_drops_doubles(void **state)
{
    mlr_list      *l = NULL;
    mlr_descriptor a, b;
    mlr_digest     da, db;
    (void)state;
    assert_int_equal(mlr_digest_parse(EMPTY, &da, NULL), 0);
    assert_int_equal(mlr_digest_parse(OTHER, &db, NULL), 0);
    assert_int_equal(mlr_descriptor_make("a/b", &da, 2, &a, NULL), 0);
    assert_int_equal(mlr_descriptor_make("a/b", &db, 0, &b, NULL), 0);
    assert_int_equal(mlr_list_new(&l, NULL), 0);
    mlr_list_sort(l);
    assert_int_equal(l->n, 0);
    assert_int_equal(mlr_list_add(l, "v2", NULL, NULL), 0);
    assert_int_equal(mlr_list_add(l, "V1", NULL, NULL), 0);
    assert_int_equal(mlr_list_add(l, "v2", NULL, NULL), 0);
    assert_int_equal(mlr_list_add(l, NULL, &b, NULL), 0);
    assert_int_equal(mlr_list_add(l, NULL, &a, NULL), 0);
    assert_int_equal(mlr_list_add(l, NULL, &b, NULL), 0);
    mlr_list_sort(l);
    assert_int_equal(l->n, 4);
    assert_string_equal(l->items[0].descriptor->digest.text, EMPTY);
    assert_string_equal(l->items[1].descriptor->digest.text, OTHER);
    assert_string_equal(l->items[2].name, "V1");
    assert_string_equal(l->items[3].name, "v2");
    mlr_list_free(l);
    mlr_descriptor_done(&a);
    mlr_descriptor_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptor__is_read_with_all_its_members),
        cmocka_unit_test(test_descriptor__is_written_back_byte_for_byte),
        cmocka_unit_test(test_descriptor__of_our_making_reads_back_the_same),
        cmocka_unit_test(test_descriptor__annotating_drops_what_no_longer_holds),
        cmocka_unit_test(test_descriptor__refuses_and_names_the_member),
        cmocka_unit_test(test_descriptor__sizes_are_exact_to_63_bits),
        cmocka_unit_test(test_descriptor__title_prefers_the_common_name),
        cmocka_unit_test(test_list__sorts_and_drops_doubles),
    };
    return cmocka_run_group_tests_name("place/descriptor", tests, NULL, NULL);
}
